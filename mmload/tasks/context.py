"""Plausible context around a question: mail threads, policies, source code, JSON payloads, logs.

Not aware of the question or its truth: it says nothing about any picture. Names come from the seed.
"""

from __future__ import annotations

import json
import random
from typing import Final

from mmload.tasks.words import CITIES, FAMILY, GIVEN, GOODS, PRODUCTS, SERVICES

STYLES: Final = ("prose", "code", "json", "log")
CHARS_PER_TOKEN: Final = 4
"""Rule of thumb, labelled as an estimate wherever it is shown; what a target bills is its ``usage``."""

_PROSE: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "{a} asked on {day} whether the handover to the {c} team can wait until the new scanner is in place.",
        "Under section {n} of the handbook, files older than {m} months are moved to the archive in {c}.",
        "Please keep the thread short; {a} and {b} read it on a phone while travelling.",
        "The {p} rollout reached {m} sites, and nobody reported trouble with the export since then.",
        "{b} wrote that the spare {g} was sent back to the warehouse because the box had been opened.",
        "We agreed to review the checklist again after the audit, at the latest in week {w}.",
        "If a page is skewed, scan it again rather than correcting it by hand, as {a} explained.",
        "The meeting notes mention {p} twice, but only the second remark concerns this queue.",
        "Older tickets about {s} were closed as duplicates of number {k}.",
        "For visitors, {b} keeps a printed copy at the desk next to the {g}.",
    ),
    "de": (
        "{a} fragte am {day}, ob die Übergabe an das Team in {c} bis zum neuen Scanner warten kann.",
        "Nach Abschnitt {n} des Handbuchs kommen Akten nach {m} Monaten ins Archiv in {c}.",
        "Die Einführung von {p} hat {m} Standorte erreicht; seitdem gab es keine Störung beim Export.",
        "{b} schrieb, dass die Lieferung ({g}) geöffnet war und deshalb zurückging.",
        "Wir prüfen die Liste nach der Revision erneut, spätestens in Woche {w}.",
    ),
    "fr": (
        "{a} a demandé le {day} si le transfert à l'équipe de {c} pouvait attendre le nouveau scanner.",
        "Selon la section {n} du manuel, les dossiers de plus de {m} mois sont archivés à {c}.",
        "Le déploiement de {p} a atteint {m} sites, sans incident d'exportation depuis.",
        "{b} a écrit que l'article ({g}) avait été renvoyé car la boîte était ouverte.",
        "Nous reverrons la liste après l'audit, au plus tard en semaine {w}.",
    ),
    "es": (
        "{a} preguntó el {day} si el traspaso al equipo de {c} puede esperar al nuevo escáner.",
        "Según la sección {n} del manual, los expedientes de más de {m} meses se archivan en {c}.",
        "El despliegue de {p} llegó a {m} sedes y nadie informó de fallos al exportar.",
        "{b} escribió que el artículo ({g}) se devolvió porque la caja estaba abierta.",
        "Revisaremos la lista después de la auditoría, a más tardar en la semana {w}.",
    ),
    "pl": (
        "{a} zapytał(a) {day}, czy przekazanie zespołowi z miasta {c} może poczekać na nowy skaner.",
        "Zgodnie z punktem {n} podręcznika akta starsze niż {m} miesięcy trafiają do archiwum.",
        "Wdrożenie {p} objęło {m} oddziałów i od tego czasu eksport działa bez zakłóceń.",
        "{b} napisał(a), że towar ({g}) odesłano, bo pudełko było otwarte.",
        "Do listy wrócimy po audycie, najpóźniej w tygodniu {w}.",
    ),
    "ru": (
        "{a} спросил(а) {day}, может ли передача дел команде ({c}) подождать до нового сканера.",
        "Согласно разделу {n} руководства, дела старше {m} месяцев переносятся в архив.",
        "Внедрение {p} охватило {m} площадок, и с тех пор сбоев при выгрузке не было.",
        "{b} пишет, что товар ({g}) вернули на склад, потому что коробка была вскрыта.",
        "К списку вернёмся после проверки, не позднее недели {w}.",
    ),
}
_CODE: Final = (
    'def {f}_{v}(record: dict, limit: int = {m}) -> list:\n    """Collect what {s} still has to send."""\n'
    '    pending = [r for r in record["{v}"] if r.state != "sent"]\n    return sorted(pending)[:limit]\n',
    'class {P}{F}Client:\n    base = "https://{s}.example.com/v{w}"\n\n'
    "    def {f}(self, key: str) -> bytes:\n"
    '        reply = self.session.get(f"{{self.base}}/{v}/{{key}}", timeout={m})\n'
    "        reply.raise_for_status()\n"
    "        return reply.content\n",
    'for {v} in {f}_batch(size={m}):\n    if {v}.age_days > {n}:\n        archive({v}, to="{c}")\n    else:\n'
    '        log.debug("kept %s", {v}.key)\n',
    "SELECT {v}_id, updated_at FROM {f}_{v}\n WHERE site = '{c}' AND retries < {w}\n"
    " ORDER BY updated_at LIMIT {m};\n",
)
_NAMES: Final = ("batch", "entry", "bundle", "ticket", "shard", "packet", "folder", "cursor")
_VERBS: Final = ("collect", "merge", "resolve", "flush", "export", "hydrate", "reindex", "compact")
_LEVELS: Final = ("DEBUG", "INFO", "INFO", "INFO", "WARN")
_EVENTS: Final = (
    "cache refreshed in {m} ms",
    "worker {w} took batch {k}",
    "slow reply from peer, {k} ms",
    "lease renewed for {v}",
    "queue depth {m}",
    "rotated segment {k}",
    "retry {w} of 5 for {v}",
    "health probe passed",
)


def _slots(rng: random.Random) -> dict[str, object]:
    verb = rng.choice(_VERBS)
    return {
        "a": f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}",
        "b": rng.choice(GIVEN),
        "c": rng.choice(CITIES),
        "p": rng.choice(PRODUCTS),
        "P": rng.choice(PRODUCTS),
        "g": rng.choice(GOODS).lower(),
        "s": rng.choice(SERVICES),
        "v": rng.choice(_NAMES),
        "f": verb,
        "F": verb.title(),
        "n": rng.randint(2, 19),
        "m": rng.randint(3, 96),
        "w": rng.randint(1, 9),
        "k": rng.randint(1000, 9999),
        "day": f"{rng.randint(1, 28)}.{rng.randint(1, 12)}.",
    }


def _paragraph(rng: random.Random, lang: str) -> str:
    return " ".join(rng.choice(_PROSE[lang]).format(**_slots(rng)) for _ in range(rng.randint(3, 6))) + "\n\n"


def _snippet(rng: random.Random, lang: str) -> str:
    return rng.choice(_CODE).format(**_slots(rng)) + "\n"


def _payload(rng: random.Random, lang: str) -> str:
    s = _slots(rng)
    body = {
        "id": s["k"],
        "service": s["s"],
        "site": s["c"],
        "owner": {"name": s["a"], "team": s["p"]},
        "counters": {str(s["v"]): s["m"], "retries": s["w"]},
        "tags": [s["f"], s["g"]],
        "archived": rng.random() < 0.5,
    }
    return json.dumps(body, ensure_ascii=False, indent=rng.choice((None, 2))) + "\n"


def _log_line(rng: random.Random, lang: str) -> str:
    s = _slots(rng)
    clock = (
        f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}.{rng.randint(0, 999):03}"
    )
    return f"{clock} {rng.choice(_LEVELS):5} {s['s']}[{s['k']}] {rng.choice(_EVENTS).format(**s)}\n"


_MAKERS: Final = {"prose": _paragraph, "code": _snippet, "json": _payload, "log": _log_line}
_TITLES: Final = {
    "prose": "Earlier messages in this thread, for background:",
    "code": "Source files attached to the ticket, for background:",
    "json": "Records attached to the ticket, for background:",
    "log": "Service log attached to the ticket, for background:",
}


def context(rng: random.Random, style: str, lang: str, chars: int) -> str:
    """About ``chars`` characters of ``style`` (prose, code, json, log); prose in ``lang``. Empty below 60."""
    if chars < 60:
        return ""
    maker = _MAKERS[style]
    parts = [_TITLES[style] + "\n"]
    length = len(parts[0])
    while length < chars:
        parts.append(maker(rng, lang))
        length += len(parts[-1])
    text = "".join(parts)[:chars]
    cut = max(text.rfind("\n"), text.rfind(" "))
    return text[:cut].rstrip() if cut > chars - 200 and cut > 0 else text


def tokens(text: str) -> int:
    """Estimate: one token for four characters."""
    return -(-len(text) // CHARS_PER_TOKEN)
