from django.urls import path

from eventhub.welcome import views

urlpatterns = [
    path("first-steps/", views.first_steps, name="first-steps"),
    path("first-steps/connect", views.connect, name="first-steps-connect"),
    path("first-steps/send", views.send, name="first-steps-send"),
    path("first-steps/see", views.see, name="first-steps-see"),
    path("first-steps/put-away", views.put_away, name="first-steps-put-away"),
]
