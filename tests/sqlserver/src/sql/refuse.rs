//! What a query may not hold: whatever the parser understood and the planner would pass over is a syntax error, never ignored.

use std::sync::OnceLock;

use sqlparser::ast::{
    Distinct, Function, FunctionArguments, GroupByExpr, Ident, LimitClause, ObjectNamePart, OrderBy, OrderByKind, Query, Select, SetExpr,
    TableFactor, Top, WildcardAdditionalOptions,
};
use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::Parser;

use super::error::SqlError;

/// Hints that change nothing here: there are no indexes to choose, and readers neither wait for a writer nor see what it has not committed.
const TABLE_HINTS: [&str; 10] = [
    "NOLOCK",
    "READUNCOMMITTED",
    "READCOMMITTED",
    "READCOMMITTEDLOCK",
    "REPEATABLEREAD",
    "SERIALIZABLE",
    "HOLDLOCK",
    "ROWLOCK",
    "PAGLOCK",
    "TABLOCK",
];

/// Refuses all of a query but what [`super::select::plan`] acts on.
pub(super) fn query(parsed: &Query, select: &Select) -> Result<(), SqlError> {
    let known = [
        (parsed.with.is_some(), "WITH"),
        // FETCH goes with OFFSET, and with neither PERCENT nor TIES: there is no LIMIT.
        (!matches!(&parsed.limit_clause, None | Some(LimitClause::LimitOffset { limit: None, offset: Some(_), .. })), "LIMIT"),
        (parsed.fetch.as_ref().is_some_and(|fetch| parsed.limit_clause.is_none() || fetch.with_ties || fetch.percent), "FETCH"),
        (parsed.for_clause.is_some(), "FOR"),
        (select.having.is_some(), "HAVING"),
        (select.into.is_some(), "INTO"),
    ];
    if let Some((_, word)) = known.iter().find(|(found, _)| *found) {
        return Err(SqlError::syntax(word));
    }
    if let Some(top) = &select.top {
        refuse_top(top)?;
    }
    if let Some(order) = &parsed.order_by {
        refuse_order(order)?;
    }
    if matches!(&select.distinct, Some(Distinct::On(_))) {
        return Err(SqlError::syntax("ON"));
    }
    match &select.group_by {
        GroupByExpr::Expressions(_, modifiers) if modifiers.is_empty() => {}
        _ => return Err(SqlError::syntax("GROUP")),
    }
    // What is left when everything understood is taken out must be a bare SELECT.
    let bare = bare()?;
    let SetExpr::Select(bare_select) = bare.body.as_ref() else { return Err(SqlError::syntax("SELECT")) };
    let rest = Select {
        projection: bare_select.projection.clone(),
        from: Vec::new(),
        selection: None,
        group_by: bare_select.group_by.clone(),
        distinct: None,
        top: None,
        top_before_distinct: bare_select.top_before_distinct,
        ..select.clone()
    };
    let around = Query { body: bare.body.clone(), order_by: None, limit_clause: None, fetch: None, ..parsed.clone() };
    if rest != **bare_select || around != *bare { Err(SqlError::syntax("SELECT")) } else { Ok(()) }
}

fn bare() -> Result<&'static Query, SqlError> {
    static BARE: OnceLock<Option<Query>> = OnceLock::new();
    let parse = || Some(*Parser::new(&MsSqlDialect {}).try_with_sql("SELECT 1").ok()?.parse_query().ok()?);
    BARE.get_or_init(parse).as_ref().ok_or_else(|| SqlError::syntax("SELECT"))
}

fn refuse_top(top: &Top) -> Result<(), SqlError> {
    match (top.percent, top.with_ties) {
        (true, _) => Err(SqlError::syntax("PERCENT")),
        (_, true) => Err(SqlError::syntax("TIES")),
        _ => Ok(()),
    }
}

fn refuse_order(order: &OrderBy) -> Result<(), SqlError> {
    let plain = match &order.kind {
        OrderByKind::Expressions(items) => items.iter().all(|item| item.with_fill.is_none() && item.options.nulls_first.is_none()),
        OrderByKind::All(_) => false,
    };
    if plain && order.interpolate.is_none() { Ok(()) } else { Err(SqlError::syntax("ORDER")) }
}

/// Refuses a table of FROM that is more than a name, an alias and harmless hints.
pub(super) fn table(factor: &TableFactor) -> Result<(), SqlError> {
    let TableFactor::Table { name, alias, args, with_hints, version, with_ordinality, partitions, json_path, sample, index_hints } = factor
    else {
        return Err(SqlError::syntax(&factor.to_string()));
    };
    for hint in with_hints {
        let hint = hint.to_string();
        if !TABLE_HINTS.iter().any(|known| known.eq_ignore_ascii_case(&hint)) {
            return Err(SqlError::new(321, 15, format!("\"{hint}\" is not a recognized table hints option.")));
        }
    }
    let is_changes = args.is_some() && super::changes::is_changes(name) && with_hints.is_empty();
    let more = (args.is_some() && !is_changes)
        || version.is_some()
        || *with_ordinality
        || !partitions.is_empty()
        || json_path.is_some()
        || sample.is_some()
        || !index_hints.is_empty()
        || alias.as_ref().is_some_and(|alias| !alias.columns.is_empty())
        || name.0.iter().any(|part| !matches!(part, ObjectNamePart::Identifier(Ident { .. })));
    if more { Err(SqlError::syntax(&factor.to_string())) } else { Ok(()) }
}

/// Refuses `* EXCEPT (...)` and its like.
pub(super) fn star(options: &WildcardAdditionalOptions) -> Result<(), SqlError> {
    let plain = WildcardAdditionalOptions { wildcard_token: options.wildcard_token.clone(), ..WildcardAdditionalOptions::default() };
    if *options == plain { Ok(()) } else { Err(SqlError::syntax("*")) }
}

/// Refuses a call that is more than a name and arguments: OVER, DISTINCT, WITHIN GROUP.
pub(super) fn call(function: &Function) -> Result<(), SqlError> {
    if function.over.is_some() {
        return Err(SqlError::syntax("OVER"));
    }
    let plain_arguments = match &function.args {
        FunctionArguments::List(list) => list.duplicate_treatment.is_none() && list.clauses.is_empty(),
        FunctionArguments::None => true,
        FunctionArguments::Subquery(_) => false,
    };
    let plain = plain_arguments
        && matches!(function.parameters, FunctionArguments::None)
        && function.filter.is_none()
        && function.null_treatment.is_none()
        && function.within_group.is_empty();
    if plain { Ok(()) } else { Err(SqlError::syntax(&function.name.to_string())) }
}
