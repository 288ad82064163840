from django.urls import path

from dlq import views

urlpatterns = [
    path("dead-letters/", views.letters, name="dead-letters"),
    path("dead-letters/news/", views.news, name="dead-letters-news"),
    path("dead-letters/retry/", views.retry, name="dead-letters-retry"),
    path("dead-letters/discard/", views.discard, name="dead-letters-discard"),
    path("dead-letters/reopen/", views.reopen, name="dead-letters-reopen"),
    path("dead-letters/resolve/", views.resolve, name="dead-letters-resolve"),
    path("dead-letters/<int:pk>/", views.letter, name="dead-letter"),
    path("dead-letters/<int:pk>/body/", views.body, name="dead-letter-body"),
    path("dead-letters/<int:pk>/raw/", views.raw, name="dead-letter-raw"),
]
