//! T-SQL expressions as the catalogue stores them, cut into tokens.

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// `(`, `)`, `,`, an operator.
    Sign(&'static str),
    /// A number without its sign, as written.
    Number(String),
    /// What stands between apostrophes.
    Text(String),
    /// `0x...`
    Bytes(Vec<u8>),
    /// A keyword or function, in lower case.
    Word(String),
    /// What stands in brackets: a column, a type, a schema.
    Name(String),
}

/// Longer signs before those that they begin with.
const SIGNS: [&str; 14] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "-", "+", ".", "*"];

/// The tokens of `text`; none where it has something that no known expression has.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, after) = next(rest)?;
        tokens.push(token);
        rest = after.trim_start();
    }
    Some(tokens)
}

fn next(rest: &str) -> Option<(Token, &str)> {
    let first = rest.chars().next()?;
    if let Some(quoted) = rest.strip_prefix('\'').or_else(|| rest.strip_prefix("N'")) {
        let (text, after) = until(quoted, '\'')?;
        return Some((Token::Text(text), after));
    }
    if let Some(name) = rest.strip_prefix('[') {
        let (name, after) = until(name, ']')?;
        return Some((Token::Name(name), after));
    }
    if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let (digits, after) = split(digits, |c| c.is_ascii_hexdigit());
        return Some((Token::Bytes(bytes(digits)?), after));
    }
    if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
        return number(rest);
    }
    if first.is_alphabetic() || "_@#".contains(first) {
        let (word, after) = split(rest, |c| c.is_alphanumeric() || "_@#$".contains(c));
        return Some((Token::Word(word.to_lowercase()), after));
    }
    let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign))?;
    Some((Token::Sign(sign), &rest[sign.len()..]))
}

/// Digits, a point, and an exponent with its sign.
fn number(rest: &str) -> Option<(Token, &str)> {
    let (mantissa, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
    let mut number = mantissa.to_owned();
    let mut after = after;
    if let Some(exponent) = after.strip_prefix(['e', 'E']) {
        let sign = if exponent.starts_with(['-', '+']) { &exponent[..1] } else { "" };
        let (digits, end) = split(&exponent[sign.len()..], |c| c.is_ascii_digit());
        number = format!("{mantissa}e{sign}{}", if digits.is_empty() { "0" } else { digits });
        after = end;
    }
    number.parse::<f64>().ok()?;
    Some((Token::Number(number), after))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// Up to a closing sign that is not doubled.
fn until(text: &str, close: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != close {
            out.push(c);
        } else if chars.next_if(|(_, next)| *next == close).is_some() {
            out.push(close);
        } else {
            return Some((out, &text[at + c.len_utf8()..]));
        }
    }
    None
}

/// An odd number of digits has a zero before them.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let even = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    (0..even.len()).step_by(2).map(|at| u8::from_str_radix(&even[at..at + 2], 16).ok()).collect()
}
