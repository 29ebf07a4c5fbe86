"""Word lists from which screens, papers and prompts are made. Data only; every name is invented."""

from __future__ import annotations

from typing import Final

VENDORS: Final = (
    "Halvorsen Optik", "Brightwell Supply", "Kestrel & Sons", "Nordmark Paper", "Olive Street Café",
    "Pinewood Tools", "Sable Logistics", "Tessera Print", "Umber Foods", "Vantage Cycles", "Weber Elektro",
    "Zephyr Labs", "Açaí House", "Grünfeld Möbel", "Łódź Tekstyl", "Maison Évrard",
)  # fmt: skip
SHORT_VENDORS: Final = (
    "Olive Café", "Kestrel Mart", "Umber Foods", "Pinewood", "Corner Deli", "Blue Kiosk", "Vantage", "Zephyr",
)  # fmt: skip
CITIES: Final = (
    "Aarhus", "Bilbao", "Córdoba", "Dresden", "Espoo", "Gdańsk", "Halifax", "Kraków", "Lyon", "Málaga",
    "Nantes", "Oslo", "Porto", "Rennes", "Tartu", "Zürich",
)  # fmt: skip
STREETS: Final = (
    "Mill Lane",
    "Harbour Road",
    "Station Street",
    "Orchard Way",
    "Bridge Street",
    "Foundry Row",
)
GIVEN: Final = (
    "Ada",
    "Bruno",
    "Carla",
    "Dmitri",
    "Elif",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kira",
    "Léa",
)
FAMILY: Final = (
    "Adler", "Bianchi", "Castro", "Duarte", "Ekström", "Fournier", "Görtz", "Hansen", "Ivanova", "Jansen",
    "Kowalska", "Lindqvist", "Moreau", "Novak",
)  # fmt: skip
GOODS: Final = (
    "Desk lamp", "Paper A4", "USB-C cable", "Ink black", "Coffee beans", "Notebook", "Steel bolt M8", "Hex key set",
    "Label roll", "Monitor arm", "Packing tape", "Safety gloves", "Ceramic mug", "Webcam HD", "Tea green", "Oak shelf",
)  # fmt: skip
SHORT_GOODS: Final = ("Coffee", "Tea", "Bagel", "Soup", "Juice", "Muffin", "Salad", "Water", "Wrap", "Cookie")
CURRENCIES: Final = (("EUR", "€"), ("GBP", "£"), ("USD", "$"))
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PLANS: Final = ("Basic", "Standard", "Premium")
SERVICES: Final = (
    "billing-api",
    "auth-gateway",
    "mail-relay",
    "search-index",
    "image-proxy",
    "order-queue",
    "report-gen",
)
REGIONS: Final = ("North", "South", "East", "West", "Central", "Coastal", "Highland", "Islands")
PRODUCTS: Final = ("Atlas", "Beacon", "Comet", "Delta", "Ember", "Fjord", "Glacier", "Harbor")

PAPER_LABELS: Final[dict[str, dict[str, str]]] = {
    "en": {"invoice": "INVOICE", "receipt": "RECEIPT", "form": "REGISTRATION FORM", "no": "No.", "date": "Date", "bill": "Bill to",
           "sku": "Item", "what": "Description", "qty": "Qty", "unit": "Unit", "amount": "Amount",
           "subtotal": "Subtotal", "tax": "Tax", "total": "Total", "ref": "Ref", "thanks": "Thank you!",
           "name": "Full name", "email": "Email", "phone": "Phone", "city": "City", "plan": "Plan", "fee": "Fee",
           "terms": "Payment due within 30 days.", "sign": "Signature"},
    "de": {"invoice": "RECHNUNG", "receipt": "QUITTUNG", "form": "ANMELDEFORMULAR", "no": "Nr.", "date": "Datum", "bill": "Empfänger",
           "sku": "Artikel", "what": "Bezeichnung", "qty": "Anz.", "unit": "Einzel", "amount": "Betrag",
           "subtotal": "Netto", "tax": "MwSt.", "total": "Gesamt", "ref": "Ref", "thanks": "Vielen Dank!",
           "name": "Name", "email": "E-Mail", "phone": "Telefon", "city": "Ort", "plan": "Tarif", "fee": "Gebühr",
           "terms": "Zahlbar innerhalb von 30 Tagen.", "sign": "Unterschrift"},
    "fr": {"invoice": "FACTURE", "receipt": "REÇU", "form": "FORMULAIRE", "no": "N°", "date": "Date", "bill": "Client",
           "sku": "Réf.", "what": "Désignation", "qty": "Qté", "unit": "P.U.", "amount": "Montant",
           "subtotal": "Total HT", "tax": "TVA", "total": "Total TTC", "ref": "Ref", "thanks": "Merci !",
           "name": "Nom", "email": "Courriel", "phone": "Téléphone", "city": "Ville", "plan": "Formule", "fee": "Frais",
           "terms": "Paiement sous 30 jours.", "sign": "Signature"},
    "es": {"invoice": "FACTURA", "receipt": "RECIBO", "form": "FORMULARIO", "no": "N.º", "date": "Fecha", "bill": "Cliente",
           "sku": "Ref.", "what": "Descripción", "qty": "Cant.", "unit": "Precio", "amount": "Importe",
           "subtotal": "Base", "tax": "IVA", "total": "Total", "ref": "Ref", "thanks": "¡Gracias!",
           "name": "Nombre", "email": "Correo", "phone": "Teléfono", "city": "Ciudad", "plan": "Plan", "fee": "Cuota",
           "terms": "Pago a 30 días.", "sign": "Firma"},
    "pl": {"invoice": "FAKTURA", "receipt": "PARAGON", "form": "FORMULARZ", "no": "Nr", "date": "Data", "bill": "Nabywca",
           "sku": "Kod", "what": "Nazwa", "qty": "Ilość", "unit": "Cena", "amount": "Wartość",
           "subtotal": "Netto", "tax": "VAT", "total": "Razem", "ref": "Ref", "thanks": "Dziękujemy!",
           "name": "Imię i nazwisko", "email": "E-mail", "phone": "Telefon", "city": "Miasto", "plan": "Taryfa", "fee": "Opłata",
           "terms": "Płatność w ciągu 30 dni.", "sign": "Podpis"},
    "ru": {"invoice": "СЧЁТ", "receipt": "ЧЕК", "form": "АНКЕТА", "no": "№", "date": "Дата", "bill": "Плательщик",
           "sku": "Код", "what": "Название", "qty": "Кол.", "unit": "Цена", "amount": "Сумма",
           "subtotal": "Без НДС", "tax": "НДС", "total": "Итого", "ref": "Ref", "thanks": "Спасибо!",
           "name": "ФИО", "email": "Почта", "phone": "Телефон", "city": "Город", "plan": "Тариф", "fee": "Взнос",
           "terms": "Оплата в течение 30 дней.", "sign": "Подпись"},
}  # fmt: skip
