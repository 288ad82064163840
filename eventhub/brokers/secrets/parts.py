"""Which pieces of a config are secret, and taking them out and putting them back.

A secret has a name: that of its field (``password``), of the address whose password it is (``management_url.password``)
or of its setting (``settings.ssl.key.password``).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from eventhub.brokers.configs import CONFIGS
from eventhub.brokers.configs.fields import secret_names
from eventhub.brokers.secrets.scrubbing import DOTS

Config = dict[str, Any]

URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<authority>[^/?#]*)(?P<path>[^?]*)(?P<query>\?.*)?", re.I | re.S
)
# Settings of librdkafka that hold a secret, by words in their names; so a new one is likely to be known too.
SECRET_SETTING = re.compile(
    r"password|passphrase|secret|key\.pem|jaas|oauthbearer\.config|access.?token", re.I
)
SETTINGS = "settings"
OF_URL = ".password"
# What is written at an address and has fields of its own beside it.
FIELDS_OF_URL = {"url": ("", "password"), "registry_url": ("registry_username", "registry_password")}
# Where a secret goes when it is used. When that changes the secret is asked for again: else whoever may change a
# source could have it sent to a server of their own.
DESTINATION = (
    "bootstrap_servers",
    "url",
    "management_url",
    "endpoint_url",
    "security",
    "sasl_mechanism",
    "ca_certificate",
)
DESTINATION_SETTING = re.compile(
    r"bootstrap\.servers|broker\.list|security\.protocol|^(sasl|ssl|enable\.ssl|https)\b"
)


def take_out(kind: str, config: Any) -> tuple[Any, Config]:
    """`config` without its secrets, and the secrets by name. What is no object stays as it is."""
    struct = CONFIGS.get(kind)
    if struct is None or not isinstance(config, dict):
        return config, {}
    plain = dict(config)
    secrets = {name: plain.pop(name) for name in secret_names(struct) if name in plain}
    for name, value in config.items():
        if isinstance(value, str) and (taken := _split_url(value)):
            plain[name], username, password = taken
            _keep_of_url(struct.__struct_fields__, name, username, password, plain, secrets)
    if isinstance(settings := plain.get(SETTINGS), dict):
        hidden = {name for name in settings if SECRET_SETTING.search(name)}
        secrets |= {f"{SETTINGS}.{name}": settings[name] for name in sorted(hidden)}
        plain[SETTINGS] = {name: value for name, value in settings.items() if name not in hidden}
    return plain, {name: value for name, value in secrets.items() if value is not None}


def put_back(config: Any, secrets: Mapping[str, Any]) -> Any:
    """The whole config. What `config` says itself counts; the secret of an address that is gone is left out."""
    if not secrets or not isinstance(config, dict):
        return config
    whole = dict(config)
    for name, value in secrets.items():
        if name.startswith(f"{SETTINGS}."):
            whole[SETTINGS] = {name.removeprefix(f"{SETTINGS}."): value} | (whole.get(SETTINGS) or {})
        elif name.endswith(OF_URL):
            field = name.removesuffix(OF_URL)
            if isinstance(url := whole.get(field), str):
                whole[field] = with_password(url, value)
        else:
            whole.setdefault(name, value)
    return whole


def with_dots(kind: str, config: Any, names: Iterable[str]) -> Any:
    """The config with dots where its secrets are, for people to look at."""
    plain, in_config = take_out(kind, config)
    return put_back(plain, dict.fromkeys([*names, *in_config], DOTS))


def destination_of(name: str, config: Any) -> Config:
    """What decides where the secret `name` is sent and how well it is guarded on the way."""
    if not isinstance(config, dict):
        return {}
    if name.startswith("registry_"):
        return {"registry_url": config.get("registry_url")}
    if name.endswith(OF_URL):
        return {name: config.get(name.removesuffix(OF_URL))}
    settings = config.get(SETTINGS)
    found = {field: config.get(field) for field in DESTINATION if config.get(field) is not None}
    for setting, value in settings.items() if isinstance(settings, dict) else ():
        if DESTINATION_SETTING.search(setting):
            found[f"{SETTINGS}.{setting}"] = value
    return found


def still_used(kind: str, config: Any, secrets: Mapping[str, Any]) -> Config:
    """Those of `secrets` that a config of `kind` has a place for."""
    struct = CONFIGS.get(kind)
    if struct is None or not isinstance(config, dict):
        return dict(secrets)
    fields = struct.__struct_fields__
    own = secret_names(struct)

    def has_place(name: str) -> bool:
        if name.startswith(f"{SETTINGS}."):
            return SETTINGS in fields
        return name in own or (name.endswith(OF_URL) and bool(config.get(name.removesuffix(OF_URL))))

    return {name: value for name, value in secrets.items() if has_place(name)}


def with_password(url: str, password: str) -> str:
    """The address with this password in it."""
    found = URL.fullmatch(url)
    if found is None:
        return url
    username, at, host = found["authority"].rpartition("@")
    username = username.partition(":")[0] if at else ""
    password = password if password == DOTS else quote(password, safe="")
    return f"{found['scheme']}{username}:{password}@{host}{found['path']}{found['query'] or ''}"


def _split_url(url: str) -> tuple[str, str, str] | None:
    """An address without its password, the user name it is for, and the password; None when it has none."""
    found = URL.fullmatch(url)
    if found is None:
        return None
    userinfo, at, host = found["authority"].rpartition("@")
    username, _, password = userinfo.partition(":")
    pairs = parse_qsl((found["query"] or "?")[1:], keep_blank_values=True)
    in_query = [value for name, value in pairs if name.lower() == "password"]
    if not password and not in_query:
        return None
    query = found["query"] or ""
    if in_query:
        rest = [(name, value) for name, value in pairs if name.lower() != "password"]
        query = f"?{urlencode(rest)}" if rest else ""
    authority = f"{username}{at if username else ''}{host}"
    plain = f"{found['scheme']}{authority}{found['path']}{query}"
    return plain, unquote(username), in_query[-1] if in_query else unquote(password)


def _keep_of_url(
    fields: Collection[str], name: str, username: str, password: str, plain: Config, secrets: Config
) -> None:
    """Where the password of the address `name` belongs: to the field for it, else to the address."""
    field_of_username, field = FIELDS_OF_URL.get(name, ("", ""))
    if field not in fields:
        secrets.setdefault(f"{name}{OF_URL}", password)
        return
    secrets.setdefault(field, password)
    if field_of_username and username:
        plain.setdefault(field_of_username, username)
        plain[name] = re.sub(r"//[^/@]*@", "//", plain[name], count=1)
