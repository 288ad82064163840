from django.urls import path

from dlq import views

urlpatterns = [
    path("dead-letters/", views.letters, name="dead-letters"),
    path("dead-letters/news/", views.news, name="dead-letters-news"),
    path("dead-letters/retry/", views.retry, name="dead-letters-retry"),
    path("dead-letters/discard/", views.discard, name="dead-letters-discard"),
    path("dead-letters/reopen/", views.reopen, name="dead-letters-reopen"),
    path("dead-letters/read-again/", views.read_again, name="dead-letters-read-again"),
    path("dead-letters/resolve/", views.resolve, name="dead-letters-resolve"),
    path("dead-letters/filters/", views.filters, name="dead-letter-filters"),
    path("dead-letters/filters/<int:pk>/forget/", views.forget_filter, name="dead-letter-filter-forget"),
    path("dead-letters/edits/", views.waiting, name="dead-letter-edits"),
    path("dead-letters/edits/<int:pk>/", views.edit_decide, name="dead-letter-edit-decide"),
    path("dead-letters/rules/<int:pk>/undo/", views.undo_rule, name="group-rule-undo"),
    *(
        path(f"dead-letters/groups/<int:pk>/{what}/", views.decide, {"what": what}, name=f"group-{what}")
        for what in ("assign", "snooze", "fixed", "notes", "regroup")
    ),
    path("dead-letters/jobs/", views.jobs, name="retry-jobs"),
    path("dead-letters/jobs/<int:pk>/", views.job, name="retry-job"),
    path("dead-letters/jobs/<int:pk>/progress/", views.job_progress, name="retry-job-progress"),
    path("dead-letters/jobs/<int:pk>/results.csv", views.job_csv, name="retry-job-csv"),
    path("dead-letters/jobs/<int:pk>/pause/", views.job_control, {"verb": "pause"}, name="retry-job-pause"),
    path(
        "dead-letters/jobs/<int:pk>/resume/", views.job_control, {"verb": "resume"}, name="retry-job-resume"
    ),
    path(
        "dead-letters/jobs/<int:pk>/cancel/", views.job_control, {"verb": "cancel"}, name="retry-job-cancel"
    ),
    path("dead-letters/<int:pk>/", views.letter, name="dead-letter"),
    path("dead-letters/<int:pk>/edit/", views.edit, name="dead-letter-edit"),
    path("dead-letters/<int:pk>/edit/check/", views.edit_check, name="dead-letter-edit-check"),
    path("dead-letters/<int:pk>/body/", views.body, name="dead-letter-body"),
    path("dead-letters/<int:pk>/raw/", views.raw, name="dead-letter-raw"),
]
