"""The admin's form of a channel: what is secret is asked for and never shown."""

from typing import Any

from django import forms

from monitoring.alerts import keeping
from monitoring.alerts.models import Channel


class ChannelForm(forms.ModelForm[Channel]):
    """A channel's fields; a secret that is left empty stays what it is."""

    signing_key = forms.CharField(
        max_length=200,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Of a webhook: signs each message (HMAC-SHA256). Empty: as it was; none at first.",
    )
    unsigned = forms.BooleanField(
        required=False, help_text="Forget the signing key: messages are not signed any more."
    )

    class Meta:
        model = Channel
        fields = ("name", "kind", "address", "enabled")
        help_texts = {
            "address": "E-mail addresses with commas between them, or the webhook's URL. Of a URL only the host is "
            "shown again; left as it is shown, it stays what it is."
        }

    def clean(self) -> dict[str, Any]:
        """An address that is only shown is one only of the webhook it was shown of."""
        cleaned = super().clean() or {}
        address, kind = cleaned.get("address", "").strip(), cleaned.get("kind")
        is_kept = keeping.is_shown(address)
        if is_kept and (address != self.initial.get("address") or kind == Channel.Kind.EMAIL):
            self.add_error("address", "Enter the whole address: the dots stand for what is not shown.")
        elif kind != Channel.Kind.EMAIL and not is_kept and not address.startswith(("https://", "http://")):
            self.add_error("address", "A webhook's address begins with https:// or http://.")
        return cleaned

    def save(self, commit: bool = True) -> Channel:
        """Put a new signing key among the secrets."""
        if self.cleaned_data["unsigned"]:
            self.instance.signing_key = ""
        elif key := self.cleaned_data["signing_key"]:
            self.instance.signing_key = key
        return super().save(commit)
