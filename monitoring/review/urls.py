from django.urls import path

from monitoring.review import views

urlpatterns = [
    path("review/", views.review, name="review"),
    path("review/report/", views.report, name="review-report"),
    path("review/rules/<slug:key>/", views.rule, name="review-rule"),
    path("review/<int:pk>/", views.finding, name="review-finding"),
    path("review/<int:pk>/decide", views.decide_finding, name="review-decide"),
]
