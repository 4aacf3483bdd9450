//! The conditions of filtered indexes: NULL or not, and comparisons of numbers, joined by AND.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::tokens::{Token, tokens};
use crate::engine::plan::PlannedColumn;
use crate::table::{ColumnPart, PgIdent, PgType};

/// The condition that `filter` becomes over the target's columns; none where it is anything else.
pub(super) fn translate(filter: &str, columns: &[PlannedColumn]) -> Option<String> {
    let mut tokens = tokens(filter)?.into_iter().peekable();
    let condition = conjunction(&mut tokens, columns)?;
    tokens.next().is_none().then_some(condition)
}

fn conjunction(tokens: &mut Peekable<IntoIter<Token>>, columns: &[PlannedColumn]) -> Option<String> {
    let mut conditions = vec![condition(tokens, columns)?];
    while tokens.next_if_eq(&Token::Word("and".to_owned())).is_some() {
        conditions.push(condition(tokens, columns)?);
    }
    Some(conditions.join(" AND "))
}

fn condition(tokens: &mut Peekable<IntoIter<Token>>, columns: &[PlannedColumn]) -> Option<String> {
    let name = match tokens.next()? {
        Token::Sign("(") => {
            let inner = conjunction(tokens, columns)?;
            tokens.next_if_eq(&Token::Sign(")"))?;
            return Some(inner);
        }
        Token::Name(name) => name,
        Token::Sign(_) | Token::Number(_) | Token::Text(_) | Token::Bytes(_) | Token::Word(_) => return None,
    };
    let column = columns.iter().find(|column| column.source == name && column.part == ColumnPart::Value)?;
    let quoted = PgIdent(&column.target);
    match tokens.next()? {
        Token::Word(word) if word == "is" => {
            let not = tokens.next_if_eq(&Token::Word("not".to_owned())).map_or("", |_| "NOT ");
            tokens.next_if_eq(&Token::Word("null".to_owned()))?;
            Some(format!("{quoted} IS {not}NULL"))
        }
        Token::Sign(sign @ ("=" | "<>" | "!=" | "<" | ">" | "<=" | ">=")) => {
            let number = number(tokens)?;
            let value = match column.pg_type {
                PgType::Bool if sign == "=" && number == "0" => "false",
                PgType::Bool if sign == "=" && number == "1" => "true",
                PgType::Int2 | PgType::Int4 | PgType::Int8 | PgType::Numeric(_) | PgType::Float4 | PgType::Float8 => &number,
                _ => return None,
            };
            Some(format!("{quoted} {} {value}", if sign == "!=" { "<>" } else { sign }))
        }
        Token::Sign(_) | Token::Number(_) | Token::Text(_) | Token::Bytes(_) | Token::Word(_) | Token::Name(_) => None,
    }
}

/// A number, in as many parentheses as there are.
fn number(tokens: &mut Peekable<IntoIter<Token>>) -> Option<String> {
    match tokens.next()? {
        Token::Number(number) => Some(number),
        Token::Sign("-") => Some(format!("-{}", number(tokens)?)).filter(|number| !number.starts_with("--")),
        Token::Sign("(") => {
            let inner = number(tokens)?;
            tokens.next_if_eq(&Token::Sign(")"))?;
            Some(inner)
        }
        Token::Sign(_) | Token::Text(_) | Token::Bytes(_) | Token::Word(_) | Token::Name(_) => None,
    }
}
