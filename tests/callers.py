"""What callers say, and whom they mean: 200 queries about customers of twelve countries.

Each line is a customer, and then what a caller may say for them: a name in any order or spelling, a company and a city, the
digits of a phone, half an email.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Row = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Caller:
    """A customer, and the texts that must find them on the first page."""

    row: Row
    said: tuple[str, ...]


def _caller(email: str, name: str, phone: str, company: str, city: str, country: str, *said: str) -> Caller:
    first, last = name.split("|")
    row = {"email": email, "first_name": first, "last_name": last, "phone": phone or None, "company": company or None}
    return Caller({**row, "city": city, "country": country, "status": "active"}, said)


CALLERS: Final = (
    # Great Britain and Ireland
    _caller("ada.lovelace@analytical.example", "Ada|Lovelace", "+44 20 7946 0958", "Analytical Engines Ltd", "London", "GB",
            "Ada Lovelace", "Lovelace, Ada", "0044 20 7946 0958", "+44 (20) 7946-0958", "460958", "ada lovel", "ADA LOVELACE",
            "analytical london", "lovelace@analytical", "L Ada", "0958 lovelace"),
    _caller("sinead.obrien@shannon.example", "Sinéad|O'Brien", "+353 20 913 0471", "Shannon Ferries", "Limerick", "IE",
            "Sinead O'Brien", "sinead obrien", "O’Brien Sinéad", "obrien limerick", "sinead.obrien@", "0209130471", "Shannon Ferries, Limerick"),
    _caller("w.mcalister@northgate.example", "William|McAlister-Hughes", "+44 20 7946 0342", "Northgate & Sons", "Leeds", "GB",
            "McAlister-Hughes", "mcalister hughes", "mcalisterhughes", "william hughes leeds", "Northgate & Sons, Leeds"),
    _caller("j.smith4471@mail.example", "John|Smith", "+44 20 7946 0817", "Bramley Joinery", "York", "GB",
            "John Smith York", "smith bramley", "john smith 460817", "j.smith4471", "SMITH, JOHN; YORK"),
    # United States
    _caller("maria.delgado@sunset.example", "Maria|Delgado", "+1 212 555 0137", "Sunset Dental Group", "Albuquerque", "US",
            "maria delgado albuquerque", "1 (212) 555-0137", "Sunset Dental", "delgado 0137", "Delgado, Maria"),
    _caller("dwashington@keystone.example", "Denzel|Washington-Price", "+1 212 555 0162", "Keystone Freight Inc.", "Pittsburgh", "US",
            "washington price", "Keystone Freight Inc", "212 555 0162", "denzel keystone"),
    _caller("b.nguyen@bayview.example", "Bảo|Nguyễn", "+1 212 555 0119", "Bayview Nails", "San José", "US",
            "bao nguyen", "Nguyen Bao", "nguyen san jose", "bayview nails"),
    # Germany, Austria, Switzerland
    _caller("juergen.gruessner@weissbier.example", "Jürgen|Grüßner", "+49 30 23125 417", "Weißbier & Söhne GmbH", "München", "DE",
            "Jürgen Grüßner", "juergen gruessner", "jurgen grussner", "Grüssner München", "söhne münchen", "weissbier muenchen", "03023125417",
            "GRÜSSNER"),
    _caller("anna.mueller@ostsee.example", "Anna|Müller", "+49 30 23125 288", "Ostseeklinik", "Rostock", "DE",
            "Müller, Anna, Rostock", "anna mueller ostsee", "muller rostock", "Anna Müller Ostseeklinik", "anna.mueller@ostsee"),
    _caller("k.h.schaefer@alpin.example", "Karl-Heinz|Schäfer", "+49 30 23125 903", "Alpin Sport", "Garmisch-Partenkirchen", "DE",
            "Karl Heinz Schäfer", "karlheinz schaefer", "schafer garmisch", "Karl-Heinz Schaefer", "23125903", "Karl-Heinz"),
    _caller("f.oesterreicher@donau.example", "Franz|Österreicher", "+43 664 0049 217", "Donau Holz", "Linz", "AT",
            "oesterreicher", "Osterreicher Franz", "donau holz linz", "0043 664 0049217", "franz österr"),
    # France
    _caller("francois.lefevre@aubergine.example", "François|Lefèvre", "+33 1 99 00 42 17", "L'Aubergine SARL", "Nîmes", "FR",
            "François Lefèvre", "francois lefevre", "LEFEVRE François", "laubergine nimes", "Lefèvre, Nîmes", "l'aubergine", "01 99 00 42 17"),
    _caller("jl.deschamps@ville.example", "Jean-Luc|Deschamps", "+33 1 99 00 71 36", "Café de la Gare", "Saint-Étienne", "FR",
            "Jean Luc Deschamps", "jeanluc deschamps", "deschamps saint etienne", "cafe gare etienne", "Jean-Luc, Deschamps!"),
    _caller("oe.coeur@fleur.example", "Élodie|Cœur", "+33 1 99 00 28 54", "Fleur d'Oranger", "Orléans", "FR",
            "elodie coeur", "Cœur", "Elodie orleans", "fleur d'oranger", "0033 1 99002854"),
    # Spain
    _caller("begona.nunez@toledo.example", "Begoña|Núñez Ibáñez", "+999 418 225 731", "Aceites Núñez S.L.", "Logroño", "ES",
            "Begona Nunez", "núñez ibáñez", "ibanez begoña", "aceites nunez logrono", "Begoña Núñez, Logroño", "225731"),
    _caller("iker.etxeberria@kutxa.example", "Iker|Etxeberria", "+999 418 663 905", "Kutxa Motor", "Donostia", "ES",
            "Etxeberria", "iker etxe", "kutxa motor", "iker.etxeberria@kutxa.example"),
    # Portugal and Brazil
    _caller("graca.goncalves@embraer.example", "Graça|Gonçalves", "+999 21 4417 9023", "Embraer", "São José dos Campos", "BR",
            "Gonçalves, Graça", "goncalves", "graca goncalves", "embraer são josé", "embraer sao jose", "GONÇALVES", "graça.gonçalves", "4417-9023"),
    _caller("joao.conceicao@saude.example", "João|da Conceição", "+999 21 4417 3358", "Clínica Saúde", "Florianópolis", "BR",
            "Joao da Conceicao", "da Conceição, João", "conceição joão", "joao florianopolis", "clinica saude"),
    # Poland and Czechia
    _caller("lukasz.wolczyk@lodz.example", "Łukasz|Wołczyk", "+999 504 871 236", "Żółw sp. z o.o.", "Łódź", "PL",
            "Łukasz Wołczyk", "lukasz wolczyk", "WOŁCZYK", "zolw lodz", "Łódź Żółw", "504871236", "wolczyk łódź"),
    _caller("swietlana.slusarz@gdansk.example", "Świętosława|Ślusarz", "+999 504 871 990", "Stocznia", "Gdańsk", "PL",
            "Swietoslawa Slusarz", "slusarz gdansk", "ślusarz", "stocznia swieto"),
    _caller("jiri.dvorak@hudba.example", "Jiří|Dvořák", "+999 603 118 442", "Hudba s.r.o.", "Plzeň", "CZ",
            "Jiří Dvořák Plzeň", "jiri dvorak hudba", "dvorak plzen", "jiri.dvorak@hudba.example", "DVOŘÁK JIŘÍ HUDBA"),
    _caller("sarka.zabkova@kvet.example", "Šárka|Žabková", "+999 603 118 775", "Květ", "České Budějovice", "CZ",
            "sarka zabkova", "žabková", "zabkova ceske budejovice", "kvet budejovice"),
    # Turkey
    _caller("isil.yildirim@bogaz.example", "Işıl|Yıldırım", "+999 532 774 16 08", "Boğaz A.Ş.", "İstanbul", "TR",
            "Işıl Yıldırım", "isil yildirim", "YILDIRIM ISIL", "bogaz istanbul", "ışıl", "İstanbul Boğaz", "5327741608"),
    _caller("cagri.gokce@izmir.example", "Çağrı|Gökçe", "+999 532 774 92 31", "Ege Tekstil", "İzmir", "TR",
            "cagri gokce", "Gökçe Çağrı", "ege tekstil izmir", "cagri.gokce", "GÖKÇE izmir"),
    # Greece
    _caller("odysseas.nikolaidis@ithaki.example", "Οδυσσέας|Νικολαΐδης", "+999 694 551 2087", "Ιθάκη Α.Ε.", "Θεσσαλονίκη", "GR",
            "Οδυσσέας Νικολαΐδης", "οδυσσεας νικολαιδης", "ΟΔΥΣΣΕΑΣ ΝΙΚΟΛΑΪΔΗΣ", "odysseas nikolaidis", "ΙΘΆΚΗ", "ιθακη θεσσαλονικη"),
    # Russia
    _caller("aleksey.solovyov@volga.example", "Алексей|Соловьёв", "+999 912 440-17-63", "ООО «Волга»", "Нижний Новгород", "RU",
            "Соловьёв Алексей Волга", "соловьев алексей нижний", "СОЛОВЬЁВ ВОЛГА", "aleksey solovyov", "соловьёв, алексей (волга)", "912 440 17 63", "8 912 440 17 63",
            "8 912 4401763", "89124401763"),
    _caller("yulia.shcherbakova@neva.example", "Юлия|Щербакова-Ёлкина", "+999 912 440-55-21", "Нева", "Санкт-Петербург", "RU",
            "Щербакова-Ёлкина", "щербакова елкина", "юлия елкина", "нева санкт петербург"),
    # The north
    _caller("soren.aeroe@havn.example", "Søren|Ærø", "+999 40 117 226", "Havn & Sø A/S", "Ærøskøbing", "DK",
            "Søren Ærø", "soren aero", "soeren aeroe", "aeroskobing", "Ærøskøbing", "søren.aeroe", "havn soren"),
    _caller("asa.lindstrom@sjo.example", "Åsa|Lindström", "+46 8 465 004 37", "Sjöbodens AB", "Malmö", "SE",
            "Asa Lindstrom Malmo", "aasa lindstroem", "åsa sjöbodens", "lindstrom malmö", "0046 8 465 004 37", "46500437"),
    _caller("gudrun.thorsdottir@isafold.example", "Guðrún|Þórsdóttir", "+999 354 611 8802", "Ísafold", "Reykjavík", "IS",
            "gudrun thorsdottir", "Þórsdóttir", "Guðrún Reykjavík", "isafold reykjavik"),
    # Japan
    _caller("haruki.shimizu@sakura.example", "陽樹|清水", "+999 90 4471 8830", "さくら株式会社", "横浜市", "JP",
            "清水 陽樹", "清水　陽樹", "さくら 横浜", "haruki.shimizu", "90-4471-8830"),
    # As it is spoken or typed in haste
    _caller("t.vandenberg@polder.example", "Thijs|van den Berg", "+31 20 555 0184", "Polder B.V.", "'s-Hertogenbosch", "NL",
            "van den Berg Thijs", "thijs berg", "s-hertogenbosch polder", "s hertogenbosch thijs", "  Thijs   van den Berg. "),
    _caller("priya.raghunathan@lotus.example", "Priya|Raghunathan", "+44 20 7946 0726", "Lotus Textiles", "Leicester", "GB",
            "Raghunathan", "priya ragh", "priya.raghu", "raghunathan@", "lotus textiles leicester", "(020) 7946 0726",
            '"Priya Raghunathan"', "priya, lotus", "Raghunathan; Leicester", "p raghunathan", "020-7946-0726",
            "priya raghunathan +44 20 7946 0726"),
    _caller("theo.vasquez@harbor.example", "Theodore|Vasquez", "+1 212 555 0148", "Harbor Lights 24/7", "New Orleans", "US",
            "theo vasquez", "t vasquez", "Vasquez, T.", "harbor lights 24/7", "vasquez new orleans", "+1-212-555-0148",
            "001 212 555 0148", "theo.vasquez@harbor", "VASQUEZ THEODORE", "harbor 24 vasquez"),
    # What callers say more of than is stored
    _caller("m.whitcombe@abbey.example", "Martha|Whitcombe", "+44 20 7946 0211 ext. 12", "Whitcombe et Filles", "St Albans", "GB",
            "whitcombe st albans", "whitcombe & filles", "0211 whitcombe"),
    _caller("c.fotheringay@oakham.example", "Constance Mary|Fotheringay", "01632 960 814 ext 203", "PAX Catering GmbH & Co. KG", "Oakham", "GB",
            "PAX Catering GmbH", "fotheringay, constance mary", "pax catering gmbh & co kg"),
    _caller("aigul.nurlan@altyn.example", "Айгүл|Нурлан", "8 701 555 01 23", "Алтын", "Алматы", "KZ",
            "нурлан алматы", "701 555 01 23", "87015550123", "+7 701 555 01 23",
            "+7 701 5550123", "0077015550123"),
)  # fmt: skip

LOOSELY: Final = (
    ("Northgate and Sons", "w.mcalister@northgate.example"), ("Weißbier und Söhne, München", "juergen.gruessner@weissbier.example"),
    ("Mr. Vasquez", "theo.vasquez@harbor.example"), ("Herr Karl-Heinz Schäfer", "k.h.schaefer@alpin.example"),
    ("Whitcombe and Filles", "m.whitcombe@abbey.example"), ("Mrs Whitcombe from Saint Albans", "m.whitcombe@abbey.example"),
    ("whitcombe sankt albans", "m.whitcombe@abbey.example"), ("deschamps st etienne", "jl.deschamps@ville.example"),
    ("Deschamps, St. Etienne", "jl.deschamps@ville.example"), ("deschamps st-etienne", "jl.deschamps@ville.example"),
    ("020 7946 0211", "m.whitcombe@abbey.example"), ("(020) 7946-0211 ext. 12", "m.whitcombe@abbey.example"),
    ("tel: 020 7946 0958 x5", "ada.lovelace@analytical.example"), ("phone 212 555 0137", "maria.delgado@sunset.example"),
    ("02079460211", "m.whitcombe@abbey.example"), ("+442079460211", "m.whitcombe@abbey.example"),
    ("(020)7946-0211x12", "m.whitcombe@abbey.example"), ("01632960814", "c.fotheringay@oakham.example"),
    ("+44 (0)1632 960 814 extension 3", "c.fotheringay@oakham.example"), ("VDB Thijs", "t.vandenberg@polder.example"),
    ("CMF Fotheringay", "c.fotheringay@oakham.example"), ("Bramley Joinery Limited", "j.smith4471@mail.example"),
    ("Embraer S.A.", "graca.goncalves@embraer.example"), ("Aceites Núñez SL", "begona.nunez@toledo.example"),
    ("daconceicao joao", "joao.conceicao@saude.example"), ("Mc Alister Leeds", "w.mcalister@northgate.example"),
    ("delagare", "jl.deschamps@ville.example"),
    ("Thijs denberg", "t.vandenberg@polder.example"), ("Boğaz AŞ", "isil.yildirim@bogaz.example"), ("P.A.X. Catering", "c.fotheringay@oakham.example"),
)  # fmt: skip
"""What finds nothing as it was said, and the email of the customer who is meant."""

TYPOS: Final = (
    ("lovelase", "lovelace"), ("raghunatan", "raghunathan"), ("vasqeuz", "vasquez"), ("gonzalves", "gonçalves"),
    ("etxebería", "etxeberria"), ("wolczik", "wołczyk"), ("yildirin", "yıldırım"), ("соловев", "соловьёв"),
    ("love lace", "lovelace"), ("清水陽樹", "清水 陽樹"),
    ("klinik", "Ostseeklinik"), ("くら株式", "さくら株式会社"),
)  # fmt: skip
"""One wrong letter or space, or a part of a word, and what is then suggested."""

SAID: Final = tuple((said, str(caller.row["email"])) for caller in CALLERS for said in caller.said)
"""What was said, and the email of the customer who is meant."""
