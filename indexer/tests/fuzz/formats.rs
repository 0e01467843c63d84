//! Formats that are text: their vocabularies and samples.

use std::sync::LazyLock;

use indexer::worker;

use crate::hold::parsed;
use crate::made::{self, input, words};
use crate::packages::OPENDOCUMENT;
use crate::run;

/// Rounds of files called `name` that begin with `head`.
fn format(target: &str, name: &str, head: &str, words: &[&str], samples: &[&[u8]]) {
    let make = |rng: &mut fastrand::Rng| [head.as_bytes(), &input(rng, words, samples)].concat();
    run(target, make, |bytes| parsed(name, None, bytes));
}

#[test]
fn rtf() {
    let words = words(
        "{¶}¶\\par ¶\\line ¶\\page¶\\'¶\\'e9¶\\'83\\'5c¶\\u8364 ?¶\\u-10179 ¶\\u-8704 ¶\\u55357 ¶\\uc2 ¶\
        \\uc0 ¶\\uc-1 ¶\\bin5 ¶\\bin¶\\bin-3 ¶\\bin2147483648 ¶\\*¶\\*\\¶{\\*\\shppict¶{\\*\\unknown ¶\
        {\\fonttbl¶{\\f0\\fcharset128 ¶\\f0 ¶\\f-1 ¶\\ansicpg932 ¶\\ansicpg65001 ¶\\mac¶\\cell ¶\\row ¶\
        \\nestcell ¶\\nestrow ¶\\intbl ¶\\outlinelevel0 ¶\\outlinelevel9 ¶{\\listtext ¶{\\title ¶{\\info¶\
        \\deleted ¶\\v ¶\\v0 ¶\\pard ¶\\plain ¶\\~¶\\_¶\\-¶\\\n¶\\{¶\\\\¶{\\footnote ¶{\\pict ¶{\\object¶\
        \\shptxt ¶\\emdash ¶words ¶;",
    );
    let sample: &[u8] =
        b"{\\fonttbl{\\f0\\fcharset128 A;}}{\\info{\\title A}}\\pard\\outlinelevel0 One\\par\\pard two \
        \\u8364?\\'e9{\\deleted x}\\par\\intbl a\\cell b\\cell\\row\\pard{\\listtext -}item\\par}";
    format("rtf", "a.rtf", "{\\rtf1 ", &words, &[sample]);
}

static JSON: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "{¶}¶[¶]¶,¶:¶\"a\"¶\"title\"¶\"\\u0000\"¶\"\\ud83d\"¶\"x\\ny\"¶null¶true¶1¶-0¶1e400¶{\"a\":¶[1,¶\n¶\
    \"title\": \"T\",¶{}¶[]",
    )
});

#[test]
fn json() {
    let samples: [&[u8]; 2] = [
        br#"{"title": "T", "part": {"a": [1, {"b": null}], "c": "x\ny"}, "d": [[1, 2], ["\u00e9"]]}"#,
        br#"[{"a": 1, "b": 2}, {"a": {"b": {"c": {"d": [true]}}}}]"#,
    ];
    format("json", "a.json", "", &JSON, &samples);
}

#[test]
fn json_lines() {
    format(
        "json_lines",
        "a.jsonl",
        "",
        &JSON,
        &[b"{\"a\": 1, \"b\": [2]}\n\n{\"a\": 3}\nno JSON\n"],
    );
}

#[test]
fn table() {
    let words = words(",¶;¶\t¶|¶\"¶\"\"¶\n¶\r\n¶Name¶Price¶12¶12.5%¶a,b\n¶\"x\ny\"");
    let samples: [&[u8]; 2] = [
        b"Name,Price\n\"x, y\",\"two\nlines\"\n1,2,3\n4\n\"open",
        b"Name;Price\nLamp;12,5\n",
    ];
    format("table", "a.csv", "", &words, &samples);
}

#[test]
fn code() {
    let words = words(
        "pub ¶pub(crate) ¶fn ¶const ¶const fn ¶class ¶def ¶impl¶<T>¶struct ¶create ¶CREATE TABLE ¶let ¶=>¶(¶\
        )¶) {¶{¶}¶:¶;¶=¶    ¶\t¶\n¶\n\n¶// ¶/*¶#¶#include¶#!¶@¶--¶[[¶[<¶*¶::¶\"C\" ¶extern ¶return ¶name¶é",
    );
    let sample: &[u8] = b"//! A file.\n\n/// Does.\npub fn one<T>(a: T) -> T {\n    x()\n}\n\nimpl<T> A<T> {\n    // Two.\n    fn two() {}\n}\n";
    for (target, name) in [("code_rs", "a.rs"), ("code_py", "a.py")] {
        format(target, name, "", &words, &[sample]);
    }
}

#[test]
fn markdown() {
    let words = words(
        "# ¶###### ¶- ¶1. ¶> ¶| a | b |\n¶|---|---|\n¶|¶```¶`¶**¶[x](y)¶![x](y)¶[^1]¶[^1]: ¶- [ ] ¶---\n¶\
        ...\n¶key: value\n¶title: ¶tags:\n¶  - a\n¶[a, b]¶'q'¶<div>¶</div>¶<div>\n¶<b>¶<br>¶<T>¶<!--¶-->¶\n¶\
        \n\n¶    ¶words ¶{#id}¶~~¶\\¶&amp;¶&#0;",
    );
    let sample: &[u8] = b"---\ntitle: Zero\ntags:\n  - a\n---\n# One\n\n- a\n- b\n\n| a | b |\n|---|---|\n| `1` |  |\n\n<div>\n<p>x\n</div>\n\na[^1]\n\n[^1]: note\n";
    format("markdown", "a.md", "", &words, &[sample]);
    // The facts on top are there only where the text begins so.
    format(
        "front_matter",
        "a.md",
        "---\n",
        &words,
        &[b"a: 1\nb: [x, 'y']\nc:\n  - 1.5\n---\nwords"],
    );
}

#[test]
fn html() {
    let words = words(
        "<p>¶</p>¶<div>¶</div>¶<h1>¶</h1>¶<h6>¶<ul>¶<li>¶</li>¶</ul>¶<table>¶<tr>¶<td>¶</td>¶</tr>¶</table>¶\
        <pre>¶</pre>¶<br>¶<dl><dt>¶<dd>¶<header>¶</header>¶<main>¶</main>¶<article>¶<title>¶</title>¶\
        <script>¶</script>¶<nav>¶<b>¶</b>¶<template>¶<svg>¶<math>¶<select>¶<form>¶<a href=x>¶ hidden¶<!--¶\
        -->¶<![CDATA[¶<!doctype html>¶&amp;¶&#x0;¶&#1114112;¶words ¶\n¶  ¶</x>¶<marquee>¶<frameset>¶\
        <plaintext>¶<body>¶<html>¶<base href=y>¶<meta charset=shift_jis>",
    );
    let sample: &[u8] = b"<!doctype html><title>T</title><nav>m</nav><main><h1>A</h1><ul><li>a<li><p>b</ul><table><tr><th>a<td>b</table><pre>x\n y</pre></main>";
    format("html", "a.html", "", &words, &[sample]);
}

static MAIL: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "Subject: ¶From: ¶To: ¶Cc: ¶Date: Mon, 1 Jan 2024 00:00:00 +0000\n¶Date: ¶\n¶\n\n¶\r\n¶\
    Content-Type: ¶text/plain; charset=utf-8\n¶text/html\n¶message/rfc822\n¶\
    multipart/mixed; boundary=x\n¶multipart/digest; boundary=x\n¶multipart/alternative; boundary=y\n¶\
    --x\n¶--x--\n¶--y\n¶--y--\n¶Content-Transfer-Encoding: base64\n¶\
    Content-Transfer-Encoding: quoted-printable\n¶=C3=A9¶4pyT¶\
    Content-Disposition: attachment; filename=a.md\n¶=?utf-8?B?4pyT?=¶=?utf-8?Q?=C3?=¶a@b¶<a@b>¶, ¶\
    From a@b Mon\n¶>From ¶Message-ID: <1>\n¶words ¶# A\n¶<p>x",
    )
});

#[test]
fn mail() {
    let sample: &[u8] = b"Message-ID: <1>\nFrom: A <a@b>\nSubject: =?utf-8?Q?=C3=A9?=\nContent-Type: multipart/mixed; boundary=x\n\n\
        --x\nContent-Type: text/plain\n\nHi\n--x\nContent-Type: text/markdown\nContent-Disposition: attachment; filename=a.md\n\n# A\n--x\n\
        Content-Type: message/rfc822\n\nSubject: inner\n\nwords\n--x--\n";
    format("mail", "a.eml", "", &MAIL, &[sample]);
    let head = "From a@b Mon\nMessage-ID: <1>\nFrom: a@b\n";
    format(
        "mailbox",
        "a.mbox",
        head,
        &MAIL,
        &[b"Subject: 1\n\nwords\n\nFrom c@d Tue\nSubject: 2\n\nmore\n"],
    );
}

#[test]
fn opendocument() {
    format(
        "opendocument",
        "a.fodt",
        "<office:document><office:body>",
        &OPENDOCUMENT,
        &[],
    );
}

#[test]
fn anything() {
    let names = words("¶a¶/¶a.¶.md¶a/b.TXT¶é.pdf¶https://a.b/c.docx¶a.tar.gz¶a.csv¶a.odt¶a.ppt");
    let types = words("¶text/html; charset=x¶application/pdf¶text/csv¶a/b¶message/rfc822¶application/mbox");
    let marks = words(
        "%PDF-1.7\n¶PK\x03\x04¶PK\x05\x06¶\u{feff}¶{\\rtf¶<?xml version='1.0'?>¶<html>¶<office:document>¶\
        #!/bin/sh\n¶{\"a\": 1}\n¶From a\n¶Received: x\n¶a\tb\n¶ustar¶charset=\"",
    );
    let mut starts: Vec<&[u8]> = marks.iter().map(|mark| mark.as_bytes()).collect();
    starts.extend([
        &b"\x1f\x8b\x08\0\0\0\0\0"[..],
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"\xff\xfe",
        b"\xfe\xff",
        b"Gr\xf6\xdfe",
    ]);
    run(
        "anything",
        |rng| input(rng, &marks, &starts),
        |bytes| {
            let mut rng = fastrand::Rng::with_seed(bytes.len() as u64);
            parsed(made::one(&mut rng, &names), Some(made::one(&mut rng, &types)), bytes);
        },
    );
}

#[test]
fn answers_of_a_worker() {
    let words = ["{\"Ok\":", "{\"Err\":", "\"x\"", "[", "]", "null", "{\"id\":", ",", "}"];
    run(
        "answers",
        |rng| input(rng, &words, &[br#"{"Err":"x"}"#]),
        |bytes| {
            drop(worker::answer(bytes));
            drop(worker::serve(bytes, std::io::sink()));
        },
    );
}
