from django.urls import path

from eventhub.sources.views import add, choose, edit, test

urlpatterns = [
    path("sources/add/", choose, name="source-choose"),
    path("sources/add/<slug:kind>/", add, name="source-add"),
    path("sources/<slug:name>/edit/", edit, name="source-edit"),
    path("sources/<slug:name>/test", test, name="source-test"),
]
