//! Tokens and comments follow each other, and there is nothing between them but white space.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_policies::rego::lex::{Kind, lex};
use portcullis_policies::rego::source::FileId;
use portcullis_policies::rego::source::Sources;

fuzz_target!(|source: &str| {
    let mut sources = Sources::default();
    let file: FileId = sources.add("fuzz.rego", source);
    let lexed = lex(file, source);
    let mut places: Vec<(u32, u32)> = lexed
        .tokens
        .iter()
        .map(|token| (token.start, token.end))
        .chain(lexed.comments.iter().map(|one| (one.start, one.end)))
        .collect();
    places.sort_unstable();
    let mut at = 0;
    for (start, end) in places {
        let (start, end) = (start as usize, end as usize);
        assert!(start <= end, "a token ends before it begins");
        let between = source.get(at..start).expect("tokens are whole characters");
        let between = between.trim_start_matches('\u{feff}');
        assert!(
            between.chars().all(|one| " \t\r\n".contains(one)),
            "{between:?} was lost"
        );
        at = end;
    }
    assert_eq!(at, source.len(), "the end was lost");
    assert_eq!(lexed.tokens.last().map(|token| token.kind), Some(Kind::End));
    let illegal = lexed.tokens.iter().any(|token| token.kind == Kind::Illegal);
    assert!(
        !illegal || !lexed.faults.is_empty(),
        "illegal without a fault"
    );
    if !lexed.faults.is_empty() {
        portcullis_fuzz::faults::check_faults(&sources, &lexed.faults);
    }
});
