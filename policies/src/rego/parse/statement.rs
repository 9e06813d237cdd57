//! The statements of a source: the package, imports, rules, and conditions.

use super::super::ast::{Expr, Import, Module, Name, Package, Rule, Term, TermKind, Version};
use super::super::lex::{Kind, Word};
use super::super::source::{ErrorCode, Fault, Span};
use super::cursor::{Parsed, Parser, Refusal};
use super::keywords::Keywords;
use super::{MAX_FAULTS, Options, annotation, bare, strict};

/// One statement.
pub(super) enum Statement {
    Package(Package, Span),
    Import(Import),
    Rules(Vec<Rule>),
    /// Conditions: a query's, or a rule without a body.
    Exprs(Vec<Expr>),
}

impl Statement {
    fn span(&self) -> Span {
        match self {
            Self::Package(_, span) => *span,
            Self::Import(import) => import.span,
            Self::Rules(rules) => rules.first().map(|rule| rule.span).unwrap_or_default(),
            Self::Exprs(exprs) => exprs.first().map(|expr| expr.span).unwrap_or_default(),
        }
    }
}

/// The heads that an import's path can have.
const ROOTS: [&str; 4] = ["data", "future", "input", "rego"];

impl Parser<'_> {
    /// Reads all statements, and reports those that cannot be read. In a query there are no rules.
    pub(super) fn statements(&mut self, rules: bool) -> Vec<Statement> {
        let mut statements = Vec::new();
        while !self.is(Kind::End) && !self.has_enough_faults() {
            let place = self.place();
            match self.statement(rules) {
                Ok(statement) => statements.push(statement),
                Err(refusal) => {
                    self.report(refusal);
                    self.recover(place);
                }
            }
        }
        statements
    }

    fn statement(&mut self, rules: bool) -> Parsed<Statement> {
        if rules {
            self.refuse_keyword_name(false)?;
        }
        let place = self.place();
        let start = self.start();
        if self.is_word(Word::Package) && !self.is_keyword_reference() {
            let package = self.package()?;
            return Ok(Statement::Package(package, self.since(start)));
        }
        if self.is_word(Word::Import) && !self.is_keyword_reference() {
            return self.import().map(Statement::Import);
        }
        if rules {
            if let Some(rules) = self.rules()? {
                return Ok(Statement::Rules(rules));
            }
            self.return_to(place);
        }
        let mut exprs = vec![self.literal()?];
        while self.eat(Kind::Semicolon) {
            exprs.push(self.literal()?);
        }
        Ok(Statement::Exprs(exprs))
    }

    fn package(&mut self) -> Parsed<Package> {
        let (path, span) = self.path()?;
        self.refuse_minus()?;
        Ok(Package {
            path: path.iter().map(|(name, _)| name.clone()).collect(),
            span,
        })
    }

    fn import(&mut self) -> Parsed<Import> {
        let start = self.start();
        let keywords = self.keywords;
        // `import future.keywords.in`: keywords are names here, and the first token of the next
        // statement is read as one too.
        self.keywords = keywords.without_future();
        let path = self.path();
        self.keywords = keywords;
        let (path, path_span) = path?;
        let alias = if self.is_word(Word::As) {
            Some(self.alias()?)
        } else {
            None
        };
        let span = self.since(start);
        let names = path.iter().map(|(name, _)| name.clone()).collect();
        let import = Import {
            path: names,
            path_span,
            alias,
            span,
        };
        self.check_import(&import, path.last().map_or(path_span, |(_, span)| *span))?;
        self.refuse_minus()?;
        match &*import.path[0] {
            "rego" => self.language_import(&import)?,
            "future" => self.keyword_import(&import)?,
            _ => return Ok(import),
        }
        self.reclassify();
        Ok(import)
    }

    /// What follows `package` or `import`: a name and a path of texts.
    fn path(&mut self) -> Parsed<(Vec<(Name, Span)>, Span)> {
        self.advance();
        if !matches!(self.kind(), Kind::Name | Kind::Word(_)) {
            return Err(self.unexpected());
        }
        self.take_as_name();
        let term = self.term()?;
        let parts = match &term.kind {
            TermKind::Var(_) => std::slice::from_ref(&term),
            TermKind::Ref(parts) => &parts[..],
            _ => return Err(Refusal::new(term.span, "expected path")),
        };
        let name = |(at, part): (usize, &Term)| match &part.kind {
            TermKind::Var(name) if at == 0 => Ok((name.clone(), part.span)),
            TermKind::String(name) if at > 0 => Ok((name.clone(), part.span)),
            kind => {
                let expected = if at == 0 { "var" } else { "string" };
                let kind = super::term::kind_name(kind);
                let message = format!("unexpected {kind} token: expecting {expected}");
                Err(Refusal::new(part.span, message))
            }
        };
        let names = parts.iter().enumerate().map(name).collect::<Parsed<_>>()?;
        Ok((names, term.span))
    }

    fn alias(&mut self) -> Parsed<(Name, Span)> {
        self.advance();
        self.expect_variable()?;
        let term = self.term()?;
        match &term.kind {
            TermKind::Var(name) => Ok((name.clone(), term.span)),
            TermKind::Ref(path) if path.len() == 1 => {
                let message = "unexpected import alias, must not be a reserved name";
                Err(Refusal::new(term.span, message))
            }
            _ => Err(self.unexpected_or("expected var")),
        }
    }

    /// A trailing minus is not part of a path.
    fn refuse_minus(&self) -> Parsed<()> {
        if self.is(Kind::Minus) {
            Err(self.unexpected())
        } else {
            Ok(())
        }
    }

    fn check_import(&self, import: &Import, last: Span) -> Parsed<()> {
        let root = &*import.path[0];
        if !ROOTS.contains(&root) {
            let message = format!(
                "unexpected import path, must begin with one of: {{{}}}, got: {root}",
                ROOTS.join(", ")
            );
            return Err(Refusal::new(import.path_span, message));
        }
        let name = import.path.last().expect("an import has a path");
        let keyword = Word::of(name).filter(|&word| Keywords::of(self.version).contain(word));
        if keyword.is_some() && import.alias.is_none() && root != "future" {
            return Err(Refusal::new_with_remedy(
                last,
                format!("unexpected import path, must not end with a keyword, got: {name}"),
                "import a different path or use an alias",
            ));
        }
        Ok(())
    }

    /// `import rego.v1`
    fn language_import(&mut self, import: &Import) -> Parsed<()> {
        let version = version_of(import).ok_or_else(|| {
            let message = "invalid import, must be one of: `rego.v1`, `rego.v2`";
            Refusal::new(import.path_span, message)
        })?;
        if let Some((_, span)) = import.alias {
            return Err(Refusal::new(span, "`rego` imports cannot be aliased"));
        }
        for word in Keywords::FUTURE {
            if Keywords::of(version).contain(word) {
                self.keywords.add(word);
            }
        }
        self.not_bodies |= version == Version::V2;
        Ok(())
    }

    /// `import future.keywords`, `import future.keywords.in`
    fn keyword_import(&mut self, import: &Import) -> Parsed<()> {
        if import.path.get(1).is_none_or(|part| &**part != "keywords") {
            let message = "invalid import, must be `future.keywords`";
            return Err(Refusal::new(import.path_span, message));
        }
        if let Some((_, span)) = import.alias {
            return Err(Refusal::new(span, "`future` imports cannot be aliased"));
        }
        let words: Vec<Word> = match &import.path[2..] {
            [name] => Word::of(name)
                .filter(|word| Keywords::FUTURE.contains(word))
                .into_iter()
                .collect(),
            _ => Keywords::FUTURE.to_vec(),
        };
        if words.is_empty() {
            let names = Keywords::FUTURE.map(Word::text).join(" ");
            let message = format!("unexpected keyword, must be one of [{names}]");
            return Err(Refusal::new(import.path_span, message));
        }
        for word in words {
            self.keywords.add(word);
            self.not_bodies |= word == Word::Not;
        }
        Ok(())
    }
}

fn version_of(import: &Import) -> Option<Version> {
    match (
        &*import.path[0],
        import.path.get(1).map(|part| &**part),
        import.path.len(),
    ) {
        ("rego", Some("v1"), 2) => Some(Version::V1),
        ("rego", Some("v2"), 2) => Some(Version::V2),
        _ => None,
    }
}

/// The conditions of a query.
pub(super) fn query(statements: Vec<Statement>) -> Result<Vec<Expr>, Vec<Fault>> {
    let mut query = Vec::new();
    for statement in statements {
        match statement {
            Statement::Exprs(exprs) => query.extend(exprs),
            other => {
                let message = "expected conditions, not a statement of a module";
                return Err(vec![Fault::new(ErrorCode::Parse, other.span(), message)]);
            }
        }
    }
    Ok(query)
}

/// The module that the statements are.
pub(super) fn module(
    parser: &Parser<'_>,
    statements: Vec<Statement>,
    options: Options,
) -> Result<Module, Vec<Fault>> {
    let mut statements = statements.into_iter();
    let (package, package_span) = match statements.next() {
        Some(Statement::Package(package, span)) => (package, span),
        first => {
            let span = first.as_ref().map_or(parser.span(0, 0), Statement::span);
            let message = if first.is_some() {
                "package expected"
            } else {
                "empty module"
            };
            return Err(vec![Fault::new(ErrorCode::Parse, span, message)]);
        }
    };
    let mut module = Module {
        baseline: options.version,
        version: options.version,
        package,
        imports: Vec::new(),
        rules: Vec::new(),
        annotations: Vec::new(),
    };
    let mut faults = Vec::new();
    for statement in statements {
        match statement {
            Statement::Import(import) => {
                module.version = module
                    .version
                    .max(version_of(&import).unwrap_or(Version::V0));
                module.imports.push(import);
            }
            Statement::Rules(rules) => module.rules.extend(rules),
            Statement::Exprs(exprs) => match bare::rule(&exprs) {
                Ok(rule) => module.rules.push(rule),
                Err(fault) => faults.push(bare::explained(fault, &exprs, parser)),
            },
            Statement::Package(_, span) => {
                faults.push(Fault::new(ErrorCode::Parse, span, "unexpected package"));
            }
        }
    }
    if module.version > Version::V0 {
        faults.extend(module.rules.iter().flat_map(strict::faults));
    }
    if faults.is_empty() && options.annotations {
        faults = annotation::attach(&mut module, parser, package_span);
    }
    if faults.is_empty() {
        return Ok(module);
    }
    faults.sort_by_key(|fault| fault.span);
    faults.truncate(MAX_FAULTS);
    Err(faults)
}
