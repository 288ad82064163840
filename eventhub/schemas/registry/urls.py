from django.urls import URLPattern, path

from eventhub.schemas.registry import answers
from eventhub.schemas.registry.views import endpoint

SUBJECT = "subjects/<str:subject>"
VERSION = f"{SUBJECT}/versions/<str:number>"

urlpatterns: list[URLPattern] = [
    path("", endpoint(GET=answers.root)),
    path("subjects", endpoint(GET=answers.subjects)),
    path(SUBJECT, endpoint(POST=answers.look_up, DELETE=answers.retire_subject)),
    path(f"{SUBJECT}/versions", endpoint(GET=answers.versions, POST=answers.register)),
    path(VERSION, endpoint(GET=answers.version, DELETE=answers.retire_version)),
    path(f"{VERSION}/schema", endpoint(GET=answers.version_text)),
    path(f"{VERSION}/referencedby", endpoint(GET=answers.referenced_by)),
    path("schemas/types", endpoint(GET=answers.types)),
    path("schemas/ids/<str:schema_id>", endpoint(GET=answers.schema_by_id)),
    path("schemas/ids/<str:schema_id>/schema", endpoint(GET=answers.schema_text_by_id)),
    path("schemas/ids/<str:schema_id>/subjects", endpoint(GET=answers.subjects_by_id)),
    path("schemas/ids/<str:schema_id>/versions", endpoint(GET=answers.uses)),
    path("compatibility/subjects/<str:subject>/versions", endpoint(POST=answers.check_all)),
    path("compatibility/subjects/<str:subject>/versions/<str:number>", endpoint(POST=answers.check)),
    path("config", endpoint(GET=answers.config, PUT=answers.set_config)),
    path(
        "config/<str:subject>",
        endpoint(
            GET=answers.subject_config,
            PUT=answers.set_subject_config,
            DELETE=answers.delete_subject_config,
        ),
    ),
    path("mode", endpoint(GET=answers.mode)),
    path("mode/<str:subject>", endpoint(GET=answers.mode)),
]
