from django.urls import path

from eventhub.palette.views import palette

urlpatterns = [path("palette", palette, name="palette")]
