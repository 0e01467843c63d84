//! Random bytes of a kind: words of its vocabulary in any order, and whole samples with something changed.

use std::sync::LazyLock;

use fastrand::Rng;

/// What goes wrong in texts of any kind.
static ODD: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "¶ ¶\n¶\n\n¶\r¶\r\n¶\t¶\0¶\u{1}¶\u{7f}¶\u{85}¶\u{a0}¶\u{2028}¶\u{feff}¶\u{202e}¶\u{200b}¶\u{fffd}¶\
    \u{10ffff}¶é¶e\u{301}¶\u{301}¶ß¶İ¶ﬁ¶漢字¶🎻¶👩‍👩‍👧¶🇩🇪¶0¶-1¶1¶255¶65536¶2147483647¶2147483648¶4294967296¶\
    9223372036854775807¶18446744073709551616¶-9223372036854775808¶1e999¶NaN¶words¶A sentence. ¶\"¶'¶\\¶\
    /¶<¶>¶&¶%¶:¶;¶,¶=¶-¶#¶[¶]¶{¶}¶(¶)¶|¶`¶*¶_¶~¶..",
    )
});
/// Bytes that are no UTF-8, or begin something else.
const BYTES: &[u8] = &[0, 0x7f, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xf0, 0xf4, 0xfe, 0xff];

/// A vocabulary, written with a sign between its words.
pub fn words(list: &'static str) -> Vec<&'static str> {
    list.split('¶').collect()
}

/// An input of some kilobytes at most from words and samples.
pub fn input(rng: &mut Rng, words: &[&str], samples: &[&[u8]]) -> Vec<u8> {
    let mut bytes = match rng.u8(..4) {
        0 if !samples.is_empty() => one(rng, samples).to_vec(),
        1 if !samples.is_empty() => {
            let sample = one(rng, samples);
            let mut half = sample[..rng.usize(..=sample.len())].to_vec();
            half.extend(soup(rng, words));
            half
        }
        _ => soup(rng, words),
    };
    for _ in 0..rng.usize(..6) {
        change(rng, &mut bytes, words);
    }
    bytes.truncate(64 << 10);
    bytes
}

/// One of them.
pub fn one<'a, T: ?Sized>(rng: &mut Rng, list: &[&'a T]) -> &'a T {
    list[rng.usize(..list.len())]
}

/// Words in any order, now and then the same one many times.
pub fn soup(rng: &mut Rng, words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.usize(..200) {
        let word = if words.is_empty() || rng.u8(..4) == 0 {
            one(rng, &ODD)
        } else {
            one(rng, words)
        };
        let times = match rng.u8(..) {
            0 => rng.usize(..2_000),
            1..10 => rng.usize(..20),
            _ => 1,
        };
        bytes.extend(word.repeat(times).into_bytes());
        if rng.u8(..) == 0 {
            bytes.push(BYTES[rng.usize(..BYTES.len())]);
        }
    }
    bytes
}

/// A text of any words; all of it is UTF-8.
pub fn text(rng: &mut Rng, words: &[&str]) -> String {
    String::from_utf8_lossy(&soup(rng, words)).into_owned()
}

/// Changes something somewhere.
pub fn change(rng: &mut Rng, bytes: &mut Vec<u8>, words: &[&str]) {
    let at = rng.usize(..=bytes.len());
    let to = rng.usize(at..=bytes.len().min(at + 64));
    match rng.u8(..7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..to)),
        2 => {
            let part = bytes[at..to].to_vec();
            let place = rng.usize(..=bytes.len());
            drop(bytes.splice(place..place, part));
        }
        3 => drop(bytes.splice(at..to, [BYTES[rng.usize(..BYTES.len())]])),
        4 if at < to => bytes[at] ^= 1 << rng.u8(..8),
        5 => drop(bytes.splice(at..at, one(rng, &ODD).bytes())),
        _ if !words.is_empty() => drop(bytes.splice(at..to, one(rng, words).bytes())),
        _ => {}
    }
}
