from django.urls import path, re_path

from eventhub.sagas import views

urlpatterns = [
    path("sagas/", views.sagas, name="sagas"),
    path("sagas/<int:pk>/", views.saga, name="saga"),
    re_path(r"^sagas/(?P<pk>\d+)/(?P<verb>retry|skip|compensate)$", views.change, name="saga-change"),
]
