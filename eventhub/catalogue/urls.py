from django.urls import URLPattern, path

from eventhub.catalogue import views, views_importing

urlpatterns: list[URLPattern] = [
    path("catalogue/asyncapi.json", views.asyncapi, name="asyncapi"),
    path("catalogue/import/", views_importing.import_schemas, name="schema-import"),
    path("catalogue/edit/<path:name>/", views.edit, name="schema-edit"),
    path("catalogue/check/<path:name>/", views.check, name="schema-check"),
    path("catalogue/save/<path:name>/", views.save, name="schema-save"),
    path("catalogue/upcast/<int:pk>/", views.upcast, name="schema-upcast"),
    path("catalogue/drift/<path:name>/", views.drift_report, name="schema-drift"),
]
