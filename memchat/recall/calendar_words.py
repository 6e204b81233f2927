"""Words for months, weekdays, spans of time, and past or coming ones, as parts of regular expressions."""

MONTHS = (
    "january|januar|enero|janvier|gennaio|janeiro|januari",
    "february|februar|febrero|février|febbraio|fevereiro|februari",
    "march|märz|marzo|mars|março|maart",
    "april|abril|avril|aprile",
    "may|mai|mayo|maggio|maio|mei",
    "june|juni|junio|juin|giugno|junho",
    "july|juli|julio|juillet|luglio|julho",
    "august|agosto|août|augustus",
    "september|septiembre|septembre|settembre|setembro",
    "october|oktober|octubre|octobre|ottobre|outubro",
    "november|noviembre|novembre|novembro",
    "december|dezember|diciembre|décembre|dicembre|dezembro",
)
WEEKDAYS = (
    "monday|montag|lunes|lundi|lunedì",
    "tuesday|dienstag|martes|mardi|martedì",
    "wednesday|mittwoch|miércoles|mercredi|mercoledì",
    "thursday|donnerstag|jueves|jeudi|giovedì",
    "friday|freitag|viernes|vendredi|venerdì",
    "saturday|samstag|sábado|samedi|sabato",
    "sunday|sonntag|domingo|dimanche|domenica",
)
SHORT_WEEKDAYS = "mon|tues?|wed|thu|thurs?|fri|sat|sun"
"""Read after "last" and "next" only: "mon" and "sat" are words of their own."""
LAST = r"last|past|previous|letzte[rnms]?|vorige[rnms]?|vergangene[rnms]?"
AFTERWARDS = r"pasad[oa]|derni(?:er|ère)|pass[ée]e?|scors[oa]|passad[oa]"
NEXT = r"next|coming|nächste[rnms]?|kommende[rnms]?"
COMING = r"próxim[oa]|prochaine?|prossim[oa]"
WEEK = "week|woche|semana|semaine|settimana"
MONTH = "month|monat|mes|mois|mese|mês"
YEAR = "year|jahr|año|année|anno|ano"
NUMBERS = {
    word: number
    for number, words_ in enumerate(
        "a|an|one|ein|einem|einer|eine|un|una|une|um|uma;"
        "two|couple|couple of|a couple|a couple of|zwei|dos|deux|due|dois;"
        "three|few|a few|drei|tres|trois|tre|três;four|vier|cuatro|quatre|quattro|quatro;five|fünf|cinco|cinq|cinque;"
        "six|sechs|seis|sei;seven|sieben|siete|sept|sette|sete;eight|acht|ocho|huit|otto|oito;"
        "nine|neun|nueve|neuf|nove;ten|zehn|diez|dix|dieci|dez;eleven|elf|once|onze|undici;"
        "twelve|zwölf|doce|douze|dodici|doze".split(";"),
        1,
    )
    for word in words_.split("|")
}
UNIT_DAYS = {"day": 1, "weekend": 7, "week": 7, "month": 30, "year": 365}
UNITS = {
    "day": "days?|tag(?:en?)?|días?|jours?|giorni|giorno|dias?",
    "weekend": "weekends?|wochenenden?",
    "week": "weeks?|wochen?|semanas?|semaines?|settiman[ae]",
    "month": "months?|monat(?:en?)?|mes(?:es)?|mois|mes[ei]|mês",
    "year": "years?|jahr(?:en?)?|años?|ans?|années?|ann[io]|anos?",
}
