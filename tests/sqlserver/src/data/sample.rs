//! The four tables of the first installation, with deterministic sample rows:
//! Japanese, Latin and emoji text, NULLs, empty strings and long notes.

use std::sync::Arc;

use super::Rows;
use super::builder::TableDef;
use super::generated::{Generated, Source, hash};
use crate::types::SqlType;
use crate::types::collation::JAPANESE;
use crate::types::value::Value;

const POOL: u64 = 2000;

const CUSTOMER: &str = "CD nvarchar(20) not null, Name nvarchar(200), NameYomi nvarchar(200), Dairiten_ID int, \
    CreationTime datetime, ModifiedTime datetime, Note nvarchar(max)";
const MC_MODULE: &str = "ID bigint not null, IPAddress varchar(45), Carrier nvarchar(50), Tel varchar(20), SIMNo varchar(30), \
    Customer_CD nvarchar(20), IsDeleted bit, CreationTime datetime, ModifiedTime datetime, DeletedTime datetime, \
    PSID nvarchar(50), IIJ_SvcCode1 varchar(30), IIJ_SvcCode2 varchar(30), PPP_ID varchar(100), PPP_Pass varchar(100), \
    VersionInfo1 nvarchar(100), VersionInfo2 nvarchar(100), VersionInfo3 nvarchar(100), VersionInfo4 nvarchar(100), \
    VersionInfo5 nvarchar(100), ReceivedTime datetime2(3)";
const VOIP_CUSTOMER: &str = "Cd int not null, GlobalCustomerCd nvarchar(20), CustomerName nvarchar(200), \
    SessionServerAddress varchar(255), SessionServerTcpPort int, SessionServerUdpPort int, LicenseCount int, \
    LicenseCountForSmapho int, LicenseSerial uniqueidentifier, MaintenancePasswd nvarchar(100), \
    MutsuuwaDisconnectTime int, RouteMode tinyint, MaxRecieveChannel smallint, VPTSetting_ID int, \
    ShuhenDistance decimal(9.3), DisconnectMode tinyint, IsSuspended bit, RelayBufferSize int, MaxRelayMemberCount int, \
    MaxJoinChannelCount int, AttributeJson nvarchar(max), SipTranscoderId1 int, SipTranscoderId2 int, \
    LicenseCountForSmaphoTrial int, SmaphoTrialFrom date, SmaphoTrialTo date, MaxAvailableGroupCd int, \
    LicenseCountForMaintenance int";
const USER_AGENT: &str = "CustomerCd int, Cd int, IPAddress varchar(45), VoiceListenPort int, SessionListenPort int, \
    UAType tinyint, LicenseCert varbinary(max), DisplayName nvarchar(200), DefaultGroupCd int, Network varchar(50), \
    OpCenters nvarchar(max), OpCenters_CD nvarchar(200), MainChannelGroupCd int, CurrentChannelNo smallint, \
    CurrentChannelNos varchar(400), IsStateListener bit, ProductType nvarchar(50), ProductVersion varchar(30), \
    Priority smallint, AudioFmtVersion varchar(10), SessionFmtVersion varchar(10), UID uniqueidentifier, \
    AttributeJson nvarchar(max), GgwTerminalID varchar(50), Id bigint not null, IsSmaphoTrialLicense bit, \
    ApplyedSettingID int, ApplyedSettingRevNo int";

/// The four tables, each with this many rows.
pub(crate) fn tables(rows: u64) -> Vec<TableDef> {
    vec![
        table("McTM", "Customer", "CD", CUSTOMER, rows),
        table("McTM", "McModule", "ID", MC_MODULE, rows),
        table("VoipDB", "Customer", "Cd", VOIP_CUSTOMER, rows),
        table("VoipDB", "UserAgent", "Id", USER_AGENT, rows),
    ]
}

fn table(database: &str, name: &str, key: &str, columns: &str, rows: u64) -> TableDef {
    let mut def = TableDef::new(database, "dbo", name).collation(JAPANESE.name).key(&[key]);
    let mut sources = Vec::new();
    for (salt, column) in (1..).zip(columns.split(", ")) {
        let mut words = column.split_whitespace();
        let (column, ty) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().replace('.', ","));
        let required = words.next().is_some();
        def = if required { def.required(column, &ty) } else { def.column(column, &ty) };
        sources.push(source(column, &ty, required, salt));
    }
    def.with_rows(Rows::Generated(Generated { rows, columns: Arc::new(sources), changed: 0 }))
}

fn source(column: &str, ty: &str, required: bool, salt: u64) -> Source {
    let parsed = SqlType::parse(ty).unwrap_or(SqlType::Int);
    match (required, parsed.is_wide()) {
        (true, true) => Source::Code,
        (true, false) => Source::Number,
        _ => {
            let length = if column == "Note" { 3000 } else { POOL };
            Source::Pool(salt, (0..length).map(|at| value(column, parsed, at, salt)).collect())
        }
    }
}

/// The value of a pool's place. Every seventh is NULL, apart from the columns with a rule of their own.
fn value(column: &str, ty: SqlType, at: u64, salt: u64) -> Value {
    let seed = hash(at ^ salt << 32);
    match column {
        "Note" => return note(at, seed),
        "CreationTime" | "ModifiedTime" => {
            return Value::DateTime(43_000 + (at % 2900) as i32, (seed % 25_920_000) as u32);
        }
        "Name" | "CustomerName" | "DisplayName" => return Value::text(&company(seed)),
        "NameYomi" => {
            return if at.is_multiple_of(50) { Value::text("") } else { Value::text(&kana(seed)) };
        }
        _ if at % 7 == 3 => return Value::Null,
        _ => {}
    }
    match ty {
        SqlType::Bit => Value::Bit(seed & 1 == 1),
        SqlType::TinyInt => Value::Int((seed % 256) as i64),
        SqlType::SmallInt => Value::Int((seed % 65_536) as i64 - 32_768),
        SqlType::Int if at.is_multiple_of(100) => Value::Int(i64::from(if seed & 1 == 0 { i32::MIN } else { i32::MAX })),
        SqlType::Int => Value::Int((seed % 60_000) as i64),
        SqlType::Decimal(_, scale) => Value::Decimal(i128::from(seed % 2_000_000_000) - 999_999_999, scale).clamp_to(999_999_999),
        SqlType::DateTime => Value::DateTime(43_000 + (seed % 2900) as i32, (seed >> 20) as u32 % 25_920_000),
        SqlType::DateTime2(_) => Value::DateTime2(737_000 + (seed % 2900) as i32, (seed >> 20) % 86_400_000 * 10_000),
        SqlType::Date => Value::Date(737_000 + (seed % 2900) as i32),
        SqlType::UniqueIdentifier => guid(seed),
        SqlType::VarBinary(_) => Value::Binary((0..64 + seed % 200).map(|i| hash(seed ^ i) as u8).collect()),
        _ if ty.is_wide() => Value::text(&words(column, at, seed)),
        _ => Value::Narrow(words(column, at, seed).into_bytes()),
    }
}

impl Value {
    fn clamp_to(self, limit: i128) -> Value {
        match self {
            Value::Decimal(unscaled, scale) => Value::Decimal(unscaled.clamp(-limit, limit), scale),
            other => other,
        }
    }
}

fn guid(seed: u64) -> Value {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..].copy_from_slice(&hash(seed).to_be_bytes());
    Value::Guid(bytes)
}

fn one_of<'a>(choices: &[&'a str], seed: u64) -> &'a str {
    choices[(seed % choices.len() as u64) as usize]
}

fn company(seed: u64) -> String {
    let form = one_of(&["株式会社", "有限会社", "合同会社", "(株)", "学校法人"], seed);
    let place = one_of(&["東京", "大阪", "横浜", "札幌", "福岡", "名古屋", "神戸", "髙松", "Osaka", "Café Zürich"], seed >> 8);
    let trade = one_of(&["通信", "運輸", "電機", "商事", "製作所", "システム", "建設🏗", "タクシー", "Logistics", "𠮷野"], seed >> 16);
    format!("{form}{place}{trade}{}", seed >> 24 & 0xFF)
}

fn kana(seed: u64) -> String {
    let place = one_of(&["トウキョウ", "オオサカ", "ヨコハマ", "サッポロ", "フクオカ", "ナゴヤ"], seed >> 8);
    let trade = one_of(&["ツウシン", "ウンユ", "デンキ", "ショウジ", "セイサクショ", "タクシー"], seed >> 16);
    format!("{place}{trade}")
}

/// A third NULL, one in a thousand above 4 KB, some empty, the others a sentence.
fn note(at: u64, seed: u64) -> Value {
    match at % 1000 {
        7 => Value::text(&"長い備考です。契約の経緯と連絡先を記す。📞 Long note, line after line.\r\n".repeat(60)),
        8 => Value::text(""),
        _ if at.is_multiple_of(3) => Value::Null,
        _ => Value::text(one_of(
            &[
                "担当者変更済み。次回は来月に連絡する予定です。訪問は平日の午前中を希望とのこと。",
                "請求書は郵送で。宛先は本社の経理部、控えを支店にも送ること。",
                "Contract renewed for two more years; see attachment “B” and the e-mail of last March.",
                "優先対応 ⚠️ 夜間は携帯へ。つながらないときは当番の班長に回す。",
                "支払い条件を確認中。営業部の鈴木さんに聞くこと。回答があるまで出荷は保留。",
            ],
            seed,
        )),
    }
}

fn words(column: &str, at: u64, seed: u64) -> String {
    let [a, b, c, d] = (seed as u32).to_be_bytes();
    if at.is_multiple_of(97) {
        return String::new();
    }
    match column {
        "IPAddress" if at.is_multiple_of(11) => format!("2001:db8:{a:x}:{b:x}::{c:x}{d:02x}"),
        "IPAddress" => format!("10.{b}.{c}.{d}"),
        "Tel" => format!("0{}0-{:04}-{:04}", 7 + a % 3, seed % 10_000, seed >> 16 & 0xFFF),
        "SIMNo" | "GgwTerminalID" => format!("8981{:015}", seed % 1_000_000_000_000_000),
        "Carrier" => one_of(&["ドコモ", "KDDI", "ソフトバンク", "IIJ"], seed).to_owned(),
        "Customer_CD" | "GlobalCustomerCd" => format!("C{:09}", seed % 1_000_000),
        "PPP_ID" => format!("user{:06}@example.ne.jp", seed % 1_000_000),
        "SessionServerAddress" => format!("voip{}.example.co.jp", a % 20),
        "Network" => format!("192.168.{b}.0/24"),
        "AttributeJson" => {
            format!("{{\"地域\":\"{}\",\"level\":{a},\"tags\":[\"音声\",\"v{b}\"]}}", one_of(&["関東", "関西", "九州"], seed))
        }
        "OpCenters" | "OpCenters_CD" | "CurrentChannelNos" => format!("{a},{b},{c},{d}"),
        name if name.contains("Version") => format!("{}.{}.{}", a % 10, b % 20, c),
        _ => format!("{seed:x}"),
    }
}
