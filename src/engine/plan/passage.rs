//! How a PostgreSQL source's column gets into a column of the target: as its bytes are where the types agree, by a cast of the source where nothing is
//! lost, or not at all. What the target would round or cut without a word is refused.

use super::form::Note;
use crate::copy::Encoding;
use crate::table::{PgType, SourceCast};

/// A way from one type into another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Passage {
    /// What the source does first; none where the bytes pass as they are.
    pub(super) cast: Option<SourceCast>,
    /// What is to be said of it.
    pub(super) note: Option<Note>,
}

impl Passage {
    fn plain() -> Option<Self> {
        Some(Self { cast: None, note: None })
    }

    fn checked(sentence: String) -> Option<Self> {
        Some(Self { cast: None, note: Some(Note::Checked(sentence)) })
    }

    fn cast(to: PgType) -> Self {
        Self { cast: Some(SourceCast::To(to)), note: None }
    }
}

/// How values of the source's type become values of the target's; none is a refusal. `zoned` says whether it is known where times without a zone were
/// written.
pub(super) fn passage(from: &PgType, to: &PgType, zoned: bool) -> Option<Passage> {
    let digits = |digits: &Option<u8>| digits.unwrap_or(6);
    match (from, to) {
        (PgType::Numeric(from), PgType::Numeric(to)) => numeric(*from, *to),
        (PgType::Time(from), PgType::Time(to))
        | (PgType::Timestamp(from), PgType::Timestamp(to))
        | (PgType::TimestampTz(from), PgType::TimestampTz(to)) => Passage::plain().filter(|_| digits(from) <= digits(to)),
        (PgType::Timestamp(from), PgType::TimestampTz(to)) if zoned && digits(from) <= digits(to) => {
            let said = "as the instant that clocks in source_time_zone showed it at".to_owned();
            Some(Passage { cast: Some(SourceCast::InZone), note: Some(Note::Converted(said)) })
        }
        (PgType::Varchar(_) | PgType::Char(_) | PgType::Text, PgType::Varchar(_) | PgType::Char(_) | PgType::Text) => {
            characters(length(from), to)
        }
        (PgType::Spatial(from), PgType::Spatial(to)) => spatial(from, to),
        (PgType::Other(from), PgType::Other(to)) if plain_name(from) == plain_name(to) => Passage::plain(),
        (from, to) if from == to => Passage::plain(),
        (_, PgType::Text | PgType::Varchar(_) | PgType::Char(_)) => as_text(from, to),
        (PgType::Varchar(_) | PgType::Char(_) | PgType::Text, _) => of_text(to),
        _ => wider(from, to),
    }
}

/// What a conversion at the source is called in a plan.
pub(super) fn said(cast: &SourceCast) -> String {
    match cast {
        SourceCast::To(pg_type) => format!("cast to {pg_type} at the source"),
        SourceCast::InZone => "cast to timestamptz at the source".to_owned(),
    }
}

/// The target rounds digits behind the point without a word, and refuses those before it.
fn numeric(from: Option<(u16, u16)>, to: Option<(u16, u16)>) -> Option<Passage> {
    match (from, to) {
        (_, None) => Passage::plain(),
        (Some((precision, scale)), Some((most, kept))) if scale <= kept => {
            match precision.saturating_sub(scale) > most.saturating_sub(kept) {
                true => Passage::checked(format!("at most {most} digits, {kept} of them after the point")),
                false => Passage::plain(),
            }
        }
        (Some(_) | None, Some(_)) => None,
    }
}

fn length(pg_type: &PgType) -> Option<u32> {
    match pg_type {
        PgType::Varchar(chars) => *chars,
        PgType::Char(chars) => Some(*chars),
        _ => None,
    }
}

/// Text into text: the same bytes, of which the target counts the characters.
fn characters(most: Option<u32>, to: &PgType) -> Option<Passage> {
    let fits = |chars: u32| most.is_some_and(|most| most <= chars);
    match to {
        PgType::Varchar(Some(chars)) if !fits(*chars) => {
            Passage::checked(format!("at most {chars} characters, blanks beyond them not counted"))
        }
        PgType::Char(chars) if !fits(*chars) => Passage::checked(format!("at most {chars} characters, blanks at the end not counted")),
        _ => Passage::plain(),
    }
}

/// The target checks its own kind of shape and reference system.
fn spatial(from: &str, to: &str) -> Option<Passage> {
    let base = |name: &str| plain_name(name).split('(').next().unwrap_or_default().to_owned();
    match (from == to || plain_name(to) == base(to), base(from) == base(to)) {
        (_, false) => None,
        (true, true) => Passage::plain(),
        (false, true) => Passage::checked(format!("a {to}")),
    }
}

/// A type's name without its schema: the two databases may keep it in different ones.
fn plain_name(name: &str) -> &str {
    let quoted = name.strip_suffix("[]").unwrap_or(name).ends_with('"');
    let end = name.find('(').unwrap_or(name.len());
    let dot = if quoted { name.rfind(".\"") } else { name[..end].rfind('.') };
    dot.map_or(name, |dot| &name[dot + 1..])
}

/// Any value as the text that the source writes it as, except bytes and shapes, whose text is nobody's.
fn as_text(from: &PgType, to: &PgType) -> Option<Passage> {
    if matches!(from, PgType::Bytea | PgType::Spatial(_)) {
        return None;
    }
    let most = match from {
        PgType::Uuid => Some(36),
        PgType::Bool => Some(5),
        _ => None,
    };
    let note = characters(most, to)?.note;
    Some(Passage { note, ..Passage::cast(PgType::Text) })
}

/// A text into what its values are the text of.
fn of_text(to: &PgType) -> Option<Passage> {
    let bare = match to {
        PgType::Uuid | PgType::Date | PgType::Json | PgType::Jsonb | PgType::Xml | PgType::Other(_) => to.clone(),
        _ => return None,
    };
    Some(Passage { note: Some(Note::Checked(format!("the text of a {to}"))), ..Passage::cast(bare) })
}

/// A type all of whose values the other one holds.
fn wider(from: &PgType, to: &PgType) -> Option<Passage> {
    let cast = || Some(Passage::cast(to.clone()));
    let whole = |digits: u16, limits: &Option<(u16, u16)>| {
        let checked = limits.filter(|(most, kept)| most.saturating_sub(*kept) < digits);
        let note = checked.map(|(most, kept)| Note::Checked(format!("at most {most} digits, {kept} of them after the point")));
        Some(Passage { note, ..Passage::cast(PgType::Numeric(None)) })
    };
    match (from, to) {
        (PgType::Int2, PgType::Int4 | PgType::Int8 | PgType::Float4 | PgType::Float8) => cast(),
        (PgType::Int4, PgType::Int8 | PgType::Float8) | (PgType::Float4, PgType::Float8) => cast(),
        (PgType::Int2, PgType::Numeric(limits)) => whole(5, limits),
        (PgType::Int4, PgType::Numeric(limits)) => whole(10, limits),
        (PgType::Int8, PgType::Numeric(limits)) => whole(19, limits),
        (PgType::Numeric(Some((..=4, 0))), PgType::Int2) => cast(),
        (PgType::Numeric(Some((..=9, 0))), PgType::Int4) | (PgType::Numeric(Some((..=18, 0))), PgType::Int8) => cast(),
        (PgType::Date, PgType::Timestamp(_)) => Some(Passage::cast(PgType::Timestamp(None))),
        (PgType::Json, PgType::Jsonb) | (PgType::Jsonb, PgType::Json) => cast(),
        _ => None,
    }
}

/// The form that values of a target column have on their way.
pub(super) fn encoding_of(pg_type: &PgType) -> Encoding {
    match pg_type {
        PgType::Bool => Encoding::Bool,
        PgType::Int2 => Encoding::Int2,
        PgType::Int4 => Encoding::Int4,
        PgType::Int8 => Encoding::Int8,
        PgType::Float4 => Encoding::Float4,
        PgType::Float8 => Encoding::Float8,
        PgType::Numeric(limits) => Encoding::Numeric { limits: *limits },
        PgType::Date => Encoding::Date,
        PgType::Time(digits) => Encoding::Time { digits: digits.unwrap_or(6) },
        PgType::Timestamp(digits) => Encoding::Timestamp { digits: digits.unwrap_or(6) },
        PgType::TimestampTz(digits) => Encoding::TimestampTz { digits: digits.unwrap_or(6) },
        PgType::Varchar(_) | PgType::Text => Encoding::Text { chars_max: None },
        PgType::Char(chars) => Encoding::Char { chars_max: *chars },
        PgType::Bytea => Encoding::Bytea,
        PgType::Uuid => Encoding::Uuid,
        PgType::Xml => Encoding::Xml { chars_max: None },
        PgType::Json => Encoding::Json,
        PgType::Jsonb => Encoding::Jsonb,
        PgType::Spatial(_) => Encoding::Ewkb,
        PgType::Other(_) => Encoding::Native,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(name: &str) -> PgType {
        PgType::Other(name.to_owned())
    }

    #[test]
    fn types_that_agree_pass_as_they_are() {
        let agreeing = [
            (PgType::Int4, PgType::Int4),
            (PgType::Numeric(Some((9, 2))), PgType::Numeric(None)),
            (PgType::Numeric(Some((9, 2))), PgType::Numeric(Some((12, 4)))),
            (PgType::Varchar(Some(20)), PgType::Varchar(Some(20))),
            (PgType::Varchar(None), PgType::Text),
            (PgType::Char(3), PgType::Char(3)),
            (PgType::Timestamp(Some(3)), PgType::Timestamp(None)),
            (other("integer[]"), other("integer[]")),
            (other("public.mood"), other("mood")),
            (other("app.\"A.b\""), other("\"A.b\"")),
            (PgType::Spatial("public.geometry(Point,4326)".to_owned()), PgType::Spatial("geometry".to_owned())),
        ];
        for (from, to) in agreeing {
            assert_eq!(passage(&from, &to, false), Passage::plain(), "{from} into {to}");
        }
    }

    #[test]
    fn what_the_other_type_holds_is_cast_at_the_source() {
        let cast = |from: PgType, to: PgType| passage(&from, &to, true).and_then(|passage| passage.cast);
        assert_eq!(cast(PgType::Int4, PgType::Int8), Some(SourceCast::To(PgType::Int8)));
        assert_eq!(cast(PgType::Int8, PgType::Numeric(Some((20, 0)))), Some(SourceCast::To(PgType::Numeric(None))));
        assert_eq!(cast(PgType::Uuid, PgType::Varchar(Some(36))), Some(SourceCast::To(PgType::Text)));
        assert_eq!(cast(other("inet"), PgType::Text), Some(SourceCast::To(PgType::Text)));
        assert_eq!(cast(PgType::Text, other("inet")), Some(SourceCast::To(other("inet"))));
        assert_eq!(cast(PgType::Timestamp(None), PgType::TimestampTz(None)), Some(SourceCast::InZone));
        assert_eq!(cast(PgType::Date, PgType::Timestamp(Some(0))), Some(SourceCast::To(PgType::Timestamp(None))));
    }

    #[test]
    fn what_the_target_would_round_or_cut_is_refused() {
        let refused = [
            (PgType::Int8, PgType::Int4),
            (PgType::Numeric(None), PgType::Numeric(Some((12, 2)))),
            (PgType::Numeric(Some((9, 3))), PgType::Numeric(Some((12, 2)))),
            (PgType::Numeric(Some((9, 2))), PgType::Int8),
            (PgType::Float8, PgType::Float4),
            (PgType::Float8, PgType::Numeric(None)),
            (PgType::Timestamp(None), PgType::Timestamp(Some(3))),
            (PgType::Timestamp(None), PgType::TimestampTz(None)),
            (PgType::TimestampTz(None), PgType::Timestamp(None)),
            (PgType::TimestampTz(None), PgType::Date),
            (PgType::Bytea, PgType::Text),
            (PgType::Text, PgType::Int4),
            (other("integer[]"), other("bigint[]")),
            (other("inet"), other("cidr")),
        ];
        for (from, to) in refused {
            assert_eq!(passage(&from, &to, false), None, "{from} into {to}");
        }
    }

    #[test]
    fn a_narrower_column_is_said_to_be_checked() {
        let said = |from: PgType, to: PgType| passage(&from, &to, false).and_then(|passage| passage.note);
        let checked = |sentence: &str| Some(Note::Checked(sentence.to_owned()));
        assert_eq!(said(PgType::Text, PgType::Varchar(Some(5))), checked("at most 5 characters, blanks beyond them not counted"));
        assert_eq!(
            said(PgType::Numeric(Some((9, 2))), PgType::Numeric(Some((5, 2)))),
            checked("at most 5 digits, 2 of them after the point")
        );
        assert_eq!(said(PgType::Text, PgType::Jsonb), checked("the text of a jsonb"));
        assert_eq!(said(PgType::Varchar(Some(5)), PgType::Varchar(Some(5))), None);
    }
}
