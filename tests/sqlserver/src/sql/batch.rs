//! A batch as statements. Queries and expressions are the parser's; the small
//! statements around them (SET, USE, transactions, IF) are read token by token.

use sqlparser::ast::{Expr as Ast, Query as Parsed};
use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::error::SqlError;

/// A statement.
#[derive(Debug)]
pub(crate) enum Statement {
    Query(Box<Parsed>),
    Set(Vec<String>),
    Use(String),
    Begin,
    Commit,
    Rollback,
    If(Box<Ast>, Box<Statement>, Option<Box<Statement>>),
    Print(Box<Ast>),
    WaitFor(String),
    Execute(String),
}

const STARTS: [&str; 16] = [
    "SELECT", "SET", "USE", "BEGIN", "COMMIT", "ROLLBACK", "IF", "ELSE", "PRINT", "WAITFOR", "EXEC", "EXECUTE", "DECLARE", "INSERT",
    "UPDATE", "DELETE",
];

/// Query hints that change nothing here: there is one way to run a query.
const OPTIONS: [&str; 9] = ["FAST", "FORCE", "HASH", "JOIN", "LOOP", "MAXDOP", "MERGE", "ORDER", "RECOMPILE"];

/// Reads all statements of a batch; one mistake refuses all of it, as the server does.
pub(crate) fn parse(text: &str) -> Result<Vec<Statement>, SqlError> {
    let dialect = MsSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize()
        .map_err(|error| SqlError::new(105, 15, format!("Unclosed quotation mark after the character string '{}'.", error.message)))?;
    let mut reader = Reader { parser: Parser::new(&dialect).with_tokens(without_changes(without_options(tokens)?)?) };
    let mut statements = Vec::new();
    loop {
        match reader.parser.peek_token().token {
            Token::EOF => return Ok(statements),
            Token::SemiColon => {
                reader.parser.next_token();
            }
            _ => statements.push(reader.statement()?),
        }
    }
}

/// Drops `OPTION (...)`, which the parser does not know, and white space.
fn without_options(tokens: Vec<Token>) -> Result<Vec<Token>, SqlError> {
    let mut kept: Vec<Token> = Vec::new();
    let mut tokens = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).peekable();
    while let Some(token) = tokens.next() {
        if is_word(&token, "OPTION") && tokens.peek() == Some(&Token::LParen) {
            let mut depth = 0;
            for inner in tokens.by_ref() {
                match inner {
                    Token::LParen => depth += 1,
                    Token::RParen => depth -= 1,
                    Token::Comma | Token::Number(..) => {}
                    word if OPTIONS.iter().any(|known| is_word(&word, known)) => {}
                    other => return Err(SqlError::syntax(&other.to_string())),
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            kept.push(token);
        }
    }
    Ok(kept)
}

/// Drops the CHANGES of `CHANGETABLE(CHANGES ...)`, which the parser does not know; its other form, VERSION, is not done here.
fn without_changes(tokens: Vec<Token>) -> Result<Vec<Token>, SqlError> {
    let mut kept: Vec<Token> = Vec::new();
    for token in tokens {
        match kept.as_slice() {
            [.., function, Token::LParen] if is_word(function, "CHANGETABLE") => {
                if !is_word(&token, "CHANGES") {
                    return Err(SqlError::syntax(&token.to_string()));
                }
                kept.push(Token::Whitespace(Whitespace::Space));
            }
            _ => kept.push(token),
        }
    }
    Ok(kept)
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

struct Reader<'a> {
    parser: Parser<'a>,
}

impl Reader<'_> {
    fn statement(&mut self) -> Result<Statement, SqlError> {
        if self.sees("SELECT") || self.parser.peek_token().token == Token::LParen {
            return self.parser.parse_query().map(Statement::Query).map_err(|_| self.unexpected());
        }
        if self.accept("SET") {
            let words = self.words();
            return if words.is_empty() { Err(self.unexpected()) } else { Ok(Statement::Set(words)) };
        }
        if self.accept("USE") {
            return match self.parser.next_token().token {
                Token::Word(word) => Ok(Statement::Use(word.value)),
                other => Err(SqlError::syntax(&other.to_string())),
            };
        }
        if self.accept("BEGIN") {
            return self.transaction(Statement::Begin, true);
        }
        if self.accept("COMMIT") {
            return self.transaction(Statement::Commit, false);
        }
        if self.accept("ROLLBACK") {
            return self.transaction(Statement::Rollback, false);
        }
        if self.accept("IF") {
            let condition = self.parser.parse_expr().map_err(|_| self.unexpected())?;
            let then = Box::new(self.statement()?);
            let otherwise = if self.accept("ELSE") { Some(Box::new(self.statement()?)) } else { None };
            return Ok(Statement::If(Box::new(condition), then, otherwise));
        }
        if self.accept("PRINT") {
            return self.parser.parse_expr().map(|expr| Statement::Print(Box::new(expr))).map_err(|_| self.unexpected());
        }
        if self.accept("WAITFOR") && self.accept("DELAY") {
            return match self.parser.next_token().token {
                Token::SingleQuotedString(text) => Ok(Statement::WaitFor(text)),
                other => Err(SqlError::syntax(&other.to_string())),
            };
        }
        if self.accept("EXECUTE") || self.accept("EXEC") {
            return Ok(Statement::Execute(self.words().concat()));
        }
        Err(self.unexpected())
    }

    fn transaction(&mut self, statement: Statement, required: bool) -> Result<Statement, SqlError> {
        let named = self.accept("TRANSACTION") || self.accept("TRAN") || (!required && self.accept("WORK"));
        if required && !named { Err(self.unexpected()) } else { Ok(statement) }
    }

    /// The rest of a statement that has no grammar worth knowing.
    fn words(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        loop {
            let token = self.parser.peek_token().token;
            let ends = matches!(token, Token::EOF | Token::SemiColon) || STARTS.iter().any(|start| is_word(&token, start));
            if ends {
                return words;
            }
            words.push(self.parser.next_token().token.to_string());
        }
    }

    fn sees(&self, word: &str) -> bool {
        is_word(&self.parser.peek_token().token, word)
    }

    fn accept(&mut self, word: &str) -> bool {
        let seen = self.sees(word);
        if seen {
            self.parser.next_token();
        }
        seen
    }

    fn unexpected(&self) -> SqlError {
        match self.parser.peek_token().token {
            Token::EOF => SqlError::new(102, 15, "Incorrect syntax near the end of the batch."),
            token => SqlError::syntax(&token.to_string()),
        }
    }
}
