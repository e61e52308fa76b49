//! What numbers are called, in the languages that we know it in.
//!
//! Whole words in lower case; with `*` at the end, also what begins with them (`telefon*`: `telefonnummer`). Spaces stand
//! for `_`, `-` and `.` too. A word of two meanings (`cell`, `pan`) names only what also has the form.

use std::sync::OnceLock;

/// What a word says of the number behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Phone,
    /// Somebody is to be called; it takes the form of a phone number as well.
    Call,
    Card,
    Ssn,
    Nino,
    Aadhaar,
    Pan,
    Steuer,
    Dni,
    Codice,
    Cpf,
    Nir,
    Resident,
    Pesel,
    Passport,
    Birth,
    /// Whatever the state gives to a person.
    Identity,
    /// A date, and not that of a birth.
    Date,
    /// A number that tells nothing of a person.
    Other,
}

impl Sign {
    /// Names dates, and says nothing of numbers.
    pub(super) fn is_of_dates(self) -> bool {
        matches!(self, Self::Birth | Self::Date)
    }
}

const WORDS: &[(Sign, &str)] = &[
    (
        Sign::Phone,
        "phone*|telephone*|tel|telefon*|teléfono*|telf|teléf|tlf*|téléphon*|tél|portable|cell|cellphone*|cell no*|cell number*\
         |mobile*|mobil|mobilnummer*|mobiltelefon*|mobilní*|mob|handy|handynummer*|handynr|fax|fax no*|fax number*|faxnummer*\
         |telefax*|whatsapp*|viber|celular*|cellulare*|móvil*|movil*|telemóvel*|telemovel*|rufnummer*|festnetz*|telefoon*\
         |telnr|gsm*|komórk*|puhelin*|matkapuhelin*|τηλέφων*|τηλ|κινητό*|телефон*|тел|моб|мобильн*|мобільн*|сотов*|факс*\
         |هاتف*|الهاتف*|جوال*|الجوال*|موبايل*|الموبايل*|محمول*|المحمول*|تلفن*|موبایل*|फोन*|फ़ोन*|मोबाइल*|दूरभाष*|ফোন*|মোবাইল*\
         |தொலைபேசி*|โทร|เบอร์|มือถือ|điện thoại*|di động|sđt|sdt|telepon*|ponsel*|handphone*|טלפון*|נייד*|电话|電話|手机|手機|联系方式\
         |行動電話|携帯|ケータイ|連絡先|ファックス|传真|傳真|전화|휴대폰|핸드폰|연락처|팩스|hotline|msisdn|landline*|contact no*|contact number*\
         |contact tel*|my number|her number|his number|your number|their number|our number|call me at|call me on|reach me at\
         |reach me on|text me at|number to call|callback number|wa me",
    ),
    (
        Sign::Call,
        "call|calls|calling|home|work|office|direct|emergency contact*|ring|dial|reach|text|sms|contact|registered|callback|kontakt|anrufen|anruf|erreichbar|erreichen\
         |llamar*|llame|llama|llámame*|contactar*|contacto|appel|appeler|appelez*|appelle*|joindre|chiamare*|chiama*|ligar|ligue\
         |liga|bellen|bel|zadzwo*|dzwoń*|kontaktow*|звон*|позвон*|дзвон*|اتصل*|للاتصال|الاتصال|कॉल*|拨打|致电|联系|聯絡|連絡\
         |arayın*|ulaş*|iletişim*|ringa|ringe|soita*|hubungi*|gọi|liên hệ*|התקשר*",
    ),
    (
        Sign::Card,
        "card|cards|cardnumber*|card number*|card no*|credit card*|creditcard*|debit card*|kreditkarte*|karte|kartennummer*\
         |carte|carte bancaire|tarjeta*|carta di credito|carta|cartão*|cartao*|kaart|kaartnummer|karta|karty|kartą|kartu|kart\
         |kredi kart*|visa|mastercard*|maestro|amex|american express|diners*|discover|jcb|unionpay|rupay|cc|ccn|ccnum*|luhn\
         |карт*|بطاقة*|البطاقة*|कार्ड*|信用卡|卡号|卡號|银行卡|銀行卡|クレジット|カード|카드|betaalkaart*|kreditkort*|kortnummer*|luottokort*\
         |bankkártya*|πιστωτικ*|κάρτα*|บัตรเครดิต|thẻ|כרטיס*|paid with|payment*|pagamento*|zahlung*|paiement*",
    ),
    (Sign::Ssn, "ssn*|social security*|social sec*|soc sec*|itin|taxpayer id*|ss|social"),
    (Sign::Nino, "nino|nino*|ni number*|ni no*|national insurance*|nat ins*|insurance number*"),
    (Sign::Aadhaar, "aadhaar*|aadhar*|adhaar*|adhar*|uidai|uid|आधार*|ஆதார்*|আধার*"),
    (Sign::Pan, "pan|pan no*|pan number*|pancard*|permanent account*|पैन*"),
    (Sign::Steuer, "steuer*|idnr*|identifikationsnummer*|tax|tax id*|taxid*|tin|tin number|german tax*"),
    (Sign::Dni, "dni*|nie|nie*|nif|nif*|documento*"),
    (Sign::Codice, "codice fiscale*|codice*|codicefiscale*|cf|c f|fiscal code*"),
    (Sign::Cpf, "cpf*|cadastro de pessoa*"),
    (
        Sign::Nir,
        "nir|sécurité sociale*|securite sociale*|sécu|secu|insee|carte vitale*|numéro de sécu*|n° de sécu*|french social*",
    ),
    (
        Sign::Resident,
        "身份证*|身份證*|公民身份*|居民身份*|证件号*|resident id*|resident identity*|id card*|citizen id*|chinese id*|identity card*",
    ),
    (Sign::Pesel, "pesel*|numer ewidencyjny*"),
    (
        Sign::Passport,
        "passport*|reisepass*|reisepaß*|pass nr|pass no|passnummer*|passnr|passeport*|pasaporte*|passaporto*|passaporte*\
         |paspoort*|paszport*|pasport*|pasaport*|pašaport*|cestovní pas*|útlevél*|passi|passinumero*|διαβατηρίου*|διαβατήρι*\
         |паспорт*|загранпаспорт*|جواز*|الجواز*|पासपोर्ट*|পাসপোর্ট*|パスポート|旅券|护照|護照|여권|דרכון*|หนังสือเดินทาง|hộ chiếu*|paspor*\
         |travel document*|passnumber|pașaport*|útlevelszám*",
    ),
    (
        Sign::Birth,
        "birth*|born|dob*|d o b|bday*|geburt*|geboren*|geb|née|naissance*|nacido*|nacida*|nacimiento*|nació|nascido*|nascida*\
         |nascita*|nascimento*|nasceu|nato|nata|geboorte*|urodzon*|urodzenia*|ur|fødsel*|født*|födelse*|född*|syntymä*|syntynyt\
         |doğum*|dogum*|doğdu*|narozen*|születés*|született*|γέννησης*|γεννήθηκ*|родил*|рожд*|р|народ*|ميلاد*|الميلاد*|مواليد*\
         |تولد*|ولد*|وُلد*|ولدت*|जन्म*|জন্ম*|பிறந்த*|出生|生于|生日|生年月日|誕生日|生まれ|생년월일|생일|출생|태어|תאריך לידה*|לידה*|נולד*|เกิด|ngày sinh*\
         |sinh ngày*|lahir*|né le|née le|nés le|fecha de nac*|data de nasc*|data di nasc*|nascut*|născut*|nașter*",
    ),
    (
        Sign::Identity,
        "national id*|personal id*|identity no*|identity number*|id number*|id no*|identification*|national number*|citizen number*\
         |personalausweis*|ausweis*|identité*|identidad*|identidade*|identità*|tożsamoś*|dowód*|identyfik*|kimlik*|government id*",
    ),
    (
        Sign::Date,
        "admitted*|admission*|issued*|issue date*|date issued*|expir*|valid*|visit*|appointment*|created*|updated*|placed*|due\
         |deadline*|shipped*|delivered*|ordered*|signed*|start*|end date*|hired*|joined*|died*|death*|deceased*|published*\
         |release*|since*|ausgestellt*|gültig*|délivré*|expedid*|emitid*|scad*|rilasciat*|wydan*|выдан*|действ*|发行*|有效期*\
         |発行*|有効期限*|발급*|만료*|order date*|invoice date*|meeting*|scheduled*|discharge*|reported*|modified*|until|wedding*\
         |married*|gestorben*|termin*|rendez*|cita|consulta*|entlassen*|aufnahme*",
    ),
    (
        Sign::Other,
        "order|orders|ordernumber*|order id*|order no*|order number*|invoice*|tracking*|track|parcel*|shipment*|shipping*\
         |waybill*|awb|suivi*|commande*|colis*|isbn*|issn*|sku*|version*|ver|build*|epoch*|timestamp*|unix*|serial*\
         |seriennummer*|ref|refs|reference*|référence*|referencia*|riferimento*|referenz*|aktenzeichen*|ticket*|case no*\
         |case number*|case id*|expediente*|draw*|lottery*|imei*|imsi|iccid|ean|ean13|upc|gtin*|barcode*|doi|port|ports|batch*\
         |lot|lot no*|part|parts|part no*|part number*|catalog*|artikel*|article no*|artículo*|figure|model|item|items|product*|purchase order*|po number*|po|bestell*|sendung*|rechnung*\
         |auftrag*|pedido*|fattura*|ordine*|factura*|facture*|zamówieni*|faktur*|заказ*|счет*|счёт*|накладн*|طلب*|الطلب*|فاتورة*\
         |ऑर्डर*|订单|訂單|快递|快遞|运单|单号|注文|追跡|伝票|주문|송장|운송장|commit|hash|sha*|md5*|checksum*|uuid*|guid*|run id*|job id*\
         |request id*|trace*|span|spanid*|session*|transaction*|txn*|txid*|receipt*|policy no*|policy number*|account*|acct*\
         |konto*|kontonummer*|iban*|customer id*|customer number*|user id*|userid*|member*|employee id*|kundennummer*|vin\
         |chassis*|plate*|zip*|postcode*|postal*|plz|price*|cost|costs|total|amount|population|pid|seq|offset*|bytes|size\
         |ups|fedex|usps|dhl|dpd|gls|booking*|reservation*|confirmation*|flight*|serie|matrícula*|nummer der bestellung\
         |rma*|asin|cas|patent*|grant no*|arxiv*|pmid*|issue|pull|ip|host",
    ),
];

/// A name, and the letters by which it is looked up.
pub(super) struct Name {
    key: (char, char),
    pub(super) name: &'static str,
    pub(super) sign: Sign,
}

/// All names that begin with these two letters, in lower case; the second is NUL for a name of one.
pub(super) fn beginning(key: (char, char)) -> impl Iterator<Item = &'static Name> {
    let names = all();
    let start = names.partition_point(|it| it.key < key);
    names.get(start..).unwrap_or_default().iter().take_while(move |it| it.key == key)
}

/// All of them, in the order of their keys.
pub(super) fn all() -> &'static [Name] {
    static NAMES: OnceLock<Vec<Name>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let split = |(sign, names): &(Sign, &'static str)| {
            names.split('|').map(|name| Name { key: key(name), name, sign: *sign }).collect::<Vec<_>>()
        };
        let mut names: Vec<_> = WORDS.iter().flat_map(split).collect();
        names.sort_by_key(|it| it.key);
        names
    })
}

fn key(name: &str) -> (char, char) {
    let mut letters = name.chars();
    let (first, second) = (letters.next(), letters.next());
    (first.unwrap_or_default(), second.filter(|it| *it != '*').unwrap_or_default())
}
