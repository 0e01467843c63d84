//! What the words and numbers of RTF stand for: signs, code pages, character sets.

use encoding_rs::Encoding;

/// The text that a word stands for.
pub fn sign(word: &str) -> &'static str {
    match word {
        "tab" => "\t",
        "emdash" => "\u{2014}",
        "endash" => "\u{2013}",
        "lquote" => "\u{2018}",
        "rquote" => "\u{2019}",
        "ldblquote" => "\u{201c}",
        "rdblquote" => "\u{201d}",
        "bullet" => "\u{2022}",
        "emspace" | "enspace" | "qmspace" | "~" => " ",
        "_" => "-",
        "{" => "{",
        "}" => "}",
        "\\" => "\\",
        _ => "",
    }
}

/// The encoding of a code page, where it is known.
pub fn codepage(number: i32) -> Option<&'static Encoding> {
    let label = match number {
        10_000 => "macintosh".to_owned(),
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        65_001 => "utf-8".to_owned(),
        437 | 850 => "windows-1252".to_owned(),
        number => format!("windows-{number}"),
    };
    Encoding::for_label(label.as_bytes())
}

/// The encoding that a font's character set means; 0 and 1 mean the file's.
pub fn charset(number: i32) -> Option<&'static Encoding> {
    codepage(match number {
        77 => 10_000,
        128 => 932,
        129 => 949,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        _ => return None,
    })
}
