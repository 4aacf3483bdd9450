//! Key ranges as T-SQL. Bounds are written as constants of the column's own type, so that an index can be sought.

use jiff::ToSpan;
use jiff::civil::date;

use crate::table::{KeyRanges, RangeKind, TsqlIdent};

/// That a row lies in one of the ranges.
pub(super) fn condition(ranges: &KeyRanges) -> String {
    let bound = |bound: i64| match &ranges.kind {
        RangeKind::Number(of_type) => format!("CAST({bound} AS {of_type})"),
        // This form of a day means the same whatever the session's language:
        // https://learn.microsoft.com/sql/t-sql/data-types/datetime-transact-sql#supported-string-literal-formats-for-datetime
        RangeKind::Day(of_type) => {
            let day = date(2000, 1, 1).saturating_add(bound.days());
            format!("CAST('{}' AS {of_type})", day.strftime("%Y%m%d"))
        }
    };
    ranges.condition(&TsqlIdent(&ranges.source).to_string(), bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_constants_of_the_columns_type() {
        let of = |kind, ranges| condition(&KeyRanges { source: "k".to_owned(), target: "k".to_owned(), kind, ranges });
        assert_eq!(
            of(RangeKind::Number("int".to_owned()), vec![(None, Some(-5)), (Some(7), Some(9)), (Some(20), None)]),
            "[k] < CAST(-5 AS int) OR ([k] >= CAST(7 AS int) AND [k] < CAST(9 AS int)) OR [k] >= CAST(20 AS int)"
        );
        assert_eq!(of(RangeKind::Day("datetime"), vec![(Some(-1), None)]), "[k] >= CAST('19991231' AS datetime)");
        assert_eq!(of(RangeKind::Day("date"), vec![(Some(-730_119), None)]), "[k] >= CAST('00010101' AS date)");
    }
}
