//! How a PostgreSQL source's column gets into a column of the target: as its bytes are where the types agree, by a cast of the source where nothing is
//! lost, or not at all. A column may be narrower where each value can be asked.

use super::form::Note;
use crate::copy::Encoding;
use crate::table::{PgType, SourceCast};

/// A way from one type into another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Passage {
    /// What the source does first; none where the bytes pass as they are.
    pub(super) cast: Option<SourceCast>,
    /// The form, with those limits that a value may exceed.
    pub(super) encoding: Encoding,
    /// What is to be said of it.
    pub(super) note: Option<Note>,
}

impl Passage {
    /// As it is, and no value is too much for the column.
    fn plain(to: &PgType) -> Option<Self> {
        Some(Self { cast: None, encoding: form(to, false), note: None })
    }

    /// As it is, where each value keeps within the column's limits.
    fn checked(to: &PgType, sentence: String) -> Option<Self> {
        Some(Self { cast: None, encoding: form(to, true), note: Some(Note::Checked(sentence)) })
    }

    /// After a cast at the source.
    fn after(self, cast: SourceCast) -> Option<Self> {
        Some(Self { cast: Some(cast), ..self })
    }
}

/// How values of the source's type become values of the target's; none is a refusal. `zoned` says whether it is known where times without a zone were
/// written.
pub(super) fn passage(from: &PgType, to: &PgType, zoned: bool) -> Option<Passage> {
    match (from, to) {
        (PgType::Numeric(held), PgType::Numeric(kept)) => digits(*held, *kept, to),
        (PgType::Time(held), PgType::Time(kept))
        | (PgType::Timestamp(held), PgType::Timestamp(kept))
        | (PgType::TimestampTz(held), PgType::TimestampTz(kept)) => seconds(*held, *kept, to),
        (PgType::Timestamp(held), PgType::TimestampTz(kept)) if zoned => {
            let way = seconds(*held, *kept, to)?;
            let said = || Note::Converted("as the instant that clocks in source_time_zone showed it at".to_owned());
            Some(Passage { note: way.note.clone().or_else(|| Some(said())), ..way }).and_then(|way| way.after(SourceCast::InZone))
        }
        (PgType::Varchar(_) | PgType::Char(_) | PgType::Text, PgType::Varchar(_) | PgType::Char(_) | PgType::Text) => {
            characters(length(from), to)
        }
        (PgType::Spatial(from), PgType::Spatial(_)) => spatial(from, to),
        (PgType::Other(held), PgType::Other(kept)) if plain_name(held) == plain_name(kept) => Passage::plain(to),
        (from, to) if from == to => Passage::plain(to),
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

fn digits(held: Option<(u16, u16)>, kept: Option<(u16, u16)>, to: &PgType) -> Option<Passage> {
    let Some((precision, scale)) = kept else { return Passage::plain(to) };
    let fits = held.is_some_and(|(digits, after)| after <= scale && digits.saturating_sub(after) <= precision.saturating_sub(scale));
    if fits { Passage::plain(to) } else { Passage::checked(to, format!("at most {precision} digits, {scale} of them after the point")) }
}

fn seconds(held: Option<u8>, kept: Option<u8>, to: &PgType) -> Option<Passage> {
    let kept = kept.unwrap_or(6);
    if held.unwrap_or(6) <= kept {
        return Passage::plain(to);
    }
    Passage::checked(to, format!("at most {kept} fractional digits of a second"))
}

fn length(pg_type: &PgType) -> Option<u32> {
    match pg_type {
        PgType::Varchar(chars) => *chars,
        PgType::Char(chars) => Some(*chars),
        _ => None,
    }
}

/// Text into text: the same bytes.
fn characters(most: Option<u32>, to: &PgType) -> Option<Passage> {
    let fits = |chars: u32| most.is_some_and(|most| most <= chars);
    match to {
        PgType::Varchar(Some(chars)) if !fits(*chars) => Passage::checked(to, format!("at most {chars} characters")),
        PgType::Char(chars) if !fits(*chars) => Passage::checked(to, format!("at most {chars} characters, blanks at the end not counted")),
        _ => Passage::plain(to),
    }
}

/// The target checks its own kind of shape and reference system.
fn spatial(held: &str, to: &PgType) -> Option<Passage> {
    let PgType::Spatial(kept) = to else { return None };
    let base = |name: &str| plain_name(name).split('(').next().unwrap_or_default().to_owned();
    match (held == kept || plain_name(kept) == base(kept), base(held) == base(kept)) {
        (_, false) => None,
        (true, true) => Passage::plain(to),
        (false, true) => Passage::checked(to, format!("a {to}")),
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
    characters(most, to)?.after(SourceCast::To(PgType::Text))
}

/// A text into what its values are the text of.
fn of_text(to: &PgType) -> Option<Passage> {
    let bare = match to {
        // Which part of a currency an amount is written in is the source's to say, and the target's to read.
        to if to.is_money() => return None,
        PgType::Uuid | PgType::Date | PgType::Json | PgType::Jsonb | PgType::Xml | PgType::Other(_) => to.clone(),
        _ => return None,
    };
    Passage::checked(to, format!("the text of a {to}"))?.after(SourceCast::To(bare))
}

/// A type all of whose values the other one holds.
fn wider(from: &PgType, to: &PgType) -> Option<Passage> {
    let cast = || Passage::plain(to)?.after(SourceCast::To(to.clone()));
    let whole = |held: u16, kept: &Option<(u16, u16)>| digits(Some((held, 0)), *kept, to)?.after(SourceCast::To(PgType::Numeric(None)));
    match (from, to) {
        (PgType::Int2, PgType::Int4 | PgType::Int8 | PgType::Float4 | PgType::Float8) => cast(),
        (PgType::Int4, PgType::Int8 | PgType::Float8) | (PgType::Float4, PgType::Float8) => cast(),
        (PgType::Int2, PgType::Numeric(limits)) => whole(5, limits),
        (PgType::Int4, PgType::Numeric(limits)) => whole(10, limits),
        (PgType::Int8, PgType::Numeric(limits)) => whole(19, limits),
        (PgType::Numeric(Some((..=4, 0))), PgType::Int2) => cast(),
        (PgType::Numeric(Some((..=9, 0))), PgType::Int4) | (PgType::Numeric(Some((..=18, 0))), PgType::Int8) => cast(),
        (PgType::Date, PgType::Timestamp(_)) => Passage::plain(to)?.after(SourceCast::To(PgType::Timestamp(None))),
        (PgType::Json, PgType::Jsonb) | (PgType::Jsonb, PgType::Json) => cast(),
        (PgType::Other(money), PgType::Numeric(limits)) if money == "money" => {
            digits(None, *limits, to)?.after(SourceCast::To(PgType::Numeric(None)))
        }
        _ => None,
    }
}

/// The form that values of a target column have on their way; `limited` where they may exceed what it takes.
fn form(pg_type: &PgType, limited: bool) -> Encoding {
    let seconds = |digits: &Option<u8>| digits.filter(|_| limited).unwrap_or(6);
    match pg_type {
        PgType::Bool => Encoding::Bool,
        PgType::Int2 => Encoding::Int2,
        PgType::Int4 => Encoding::Int4,
        PgType::Int8 => Encoding::Int8,
        PgType::Float4 => Encoding::Float4,
        PgType::Float8 => Encoding::Float8,
        PgType::Numeric(limits) => Encoding::Numeric { limits: limits.filter(|_| limited) },
        PgType::Date => Encoding::Date,
        PgType::Time(digits) => Encoding::Time { digits: seconds(digits) },
        PgType::Timestamp(digits) => Encoding::Timestamp { digits: seconds(digits) },
        PgType::TimestampTz(digits) => Encoding::TimestampTz { digits: seconds(digits) },
        PgType::Varchar(chars) => Encoding::Text { chars_max: chars.filter(|_| limited) },
        PgType::Text => Encoding::Text { chars_max: None },
        PgType::Char(chars) => Encoding::Char { chars_max: *chars },
        PgType::Bytea => Encoding::Bytea,
        PgType::Uuid => Encoding::Uuid,
        PgType::Xml => Encoding::Xml { chars_max: None },
        PgType::Json => Encoding::Json,
        PgType::Jsonb => Encoding::Jsonb,
        PgType::Spatial(_) => Encoding::Ewkb,
        PgType::Other(name) if name.ends_with("[]") => Encoding::NativeArray,
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
            assert_eq!(passage(&from, &to, false), Passage::plain(&to), "{from} into {to}");
        }
    }

    #[test]
    fn what_the_other_type_holds_is_cast_at_the_source() {
        let cast = |from: PgType, to: PgType| passage(&from, &to, true).and_then(|passage| passage.cast);
        assert_eq!(cast(PgType::Int4, PgType::Int8), Some(SourceCast::To(PgType::Int8)));
        assert_eq!(cast(PgType::Int8, PgType::Numeric(Some((20, 0)))), Some(SourceCast::To(PgType::Numeric(None))));
        assert_eq!(cast(PgType::Uuid, PgType::Varchar(Some(36))), Some(SourceCast::To(PgType::Text)));
        assert_eq!(cast(other("inet"), PgType::Text), Some(SourceCast::To(PgType::Text)));
        assert_eq!(cast(other("money"), PgType::Numeric(None)), Some(SourceCast::To(PgType::Numeric(None))));
        assert_eq!(cast(PgType::Text, other("inet")), Some(SourceCast::To(other("inet"))));
        assert_eq!(cast(PgType::Timestamp(None), PgType::TimestampTz(None)), Some(SourceCast::InZone));
        assert_eq!(cast(PgType::Date, PgType::Timestamp(Some(0))), Some(SourceCast::To(PgType::Timestamp(None))));
    }

    #[test]
    fn what_would_lose_something_is_refused() {
        let refused = [
            (PgType::Int8, PgType::Int4),
            (PgType::Numeric(Some((9, 2))), PgType::Int8),
            (PgType::Float8, PgType::Float4),
            (PgType::Float8, PgType::Numeric(None)),
            (PgType::Timestamp(None), PgType::TimestampTz(None)),
            (PgType::TimestampTz(None), PgType::Timestamp(None)),
            (PgType::TimestampTz(None), PgType::Date),
            (PgType::Bytea, PgType::Text),
            (PgType::Text, PgType::Int4),
            (other("integer[]"), other("bigint[]")),
            (other("inet"), other("cidr")),
            (PgType::Text, other("money")),
            (other("money[]"), PgType::Numeric(None)),
        ];
        for (from, to) in refused {
            assert_eq!(passage(&from, &to, false), None, "{from} into {to}");
        }
    }

    #[test]
    fn a_narrower_column_is_said_to_be_checked_and_has_its_limits_in_its_form() {
        let checked = |from: PgType, to: PgType| match passage(&from, &to, false).unwrap() {
            Passage { encoding, note: Some(Note::Checked(sentence)), .. } => (encoding, sentence),
            plain => panic!("{from} into {to}: {plain:?}"),
        };
        let said = |sentence: &str| sentence.to_owned();
        assert_eq!(checked(PgType::Text, PgType::Varchar(Some(5))), (Encoding::Text { chars_max: Some(5) }, said("at most 5 characters")));
        let narrow = (Encoding::Numeric { limits: Some((5, 2)) }, said("at most 5 digits, 2 of them after the point"));
        for from in [PgType::Numeric(Some((9, 2))), PgType::Numeric(Some((5, 3))), PgType::Numeric(None), PgType::Int2] {
            assert_eq!(checked(from, PgType::Numeric(Some((5, 2)))), narrow);
        }
        let moment = (Encoding::Timestamp { digits: 3 }, said("at most 3 fractional digits of a second"));
        assert_eq!(checked(PgType::Timestamp(None), PgType::Timestamp(Some(3))), moment);
        assert_eq!(checked(PgType::Text, PgType::Jsonb), (Encoding::Jsonb, said("the text of a jsonb")));
    }
}
