//! What is typed for a source: a path, an address or `-`, and the options that belong to each.

use std::path::PathBuf;

use indexer::sources::{Fields, Filter, Origin};

use crate::error::{Error, Result};

/// Standard input.
const STDIN: &str = "-";

/// The source and what narrows it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Typed {
    /// A folder or a file, or `-` for standard input.
    source: PathBuf,
    /// Of a folder, only the files that a pattern of `.gitignore` matches, such as `*.md`; may be given again.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Of a folder, not the files and folders that a pattern matches, such as `drafts/`; may be given again.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Of a JSONL or CSV file, each row is a document; `id`, `title`, `text` and the like are taken for what they say.
    #[arg(long)]
    rows: bool,
    /// The same, with the fields that make a document, such as `id=sku,title=name,text=description,metadata.price=price`.
    #[arg(long, value_name = "PART=FIELD", value_delimiter = ',')]
    fields: Vec<String>,
    /// What standard input is called; its ending tells what it is.
    #[arg(long, value_name = "NAME")]
    uri: Option<String>,
}

impl Typed {
    /// Whether standard input is meant.
    pub fn is_stdin(&self) -> bool {
        self.source.as_os_str() == STDIN
    }

    /// What standard input is called.
    pub fn uri(&self) -> Result<&str> {
        self.narrows_only(&[])?;
        let detail = "standard input has no name; `--uri page.md` gives it one";
        self.uri.as_deref().ok_or_else(|| Error::bad_input("/uri", detail))
    }

    /// The source as the service is told of it.
    pub fn origin(&self) -> Result<Origin> {
        if self.uri.is_some() {
            return Err(Error::bad_input("/uri", "only standard input, `-`, is named by `--uri`"));
        }
        let path = std::path::absolute(&self.source)
            .map_err(|error| Error::bad_input("/path", format!("cannot tell the working folder: {error}")))?;
        if path.to_str().is_none() {
            let detail = "the path is not UTF-8; index the folder above it";
            return Err(Error::bad_input("/path", detail));
        }
        if self.rows || !self.fields.is_empty() {
            self.narrows_only(&["--rows", "--fields"])?;
            let fields = self.fields()?;
            return Ok(Origin::Rows { path, fields });
        }
        self.narrows_only(&["--include", "--exclude"])?;
        let filter = Filter {
            include: self.include.clone(),
            exclude: self.exclude.clone(),
        };
        Ok(Origin::Folder { path, filter })
    }

    /// Refuses an option that would do nothing here.
    fn narrows_only(&self, known: &[&str]) -> Result<()> {
        let given = [
            ("--include", !self.include.is_empty(), "a folder"),
            ("--exclude", !self.exclude.is_empty(), "a folder"),
            ("--rows", self.rows, "a file"),
            ("--fields", !self.fields.is_empty(), "a file"),
        ];
        for (option, given, of) in given {
            if given && !known.contains(&option) {
                let detail = format!("`{option}` belongs to {of}; leave it out here");
                return Err(Error::bad_input("/source", detail));
            }
        }
        Ok(())
    }

    fn fields(&self) -> Result<Fields> {
        let mut fields = Fields::new();
        for pair in &self.fields {
            let Some((part, field)) = pair.split_once('=') else {
                let detail = format!("`{pair}` is no field; write PART=FIELD, such as `title=name`");
                return Err(Error::bad_input("/source/fields", detail));
            };
            if fields.insert(part.to_owned(), field.to_owned()).is_some() {
                let detail = format!("`{part}` is given twice; `text=summary+body` joins two fields");
                return Err(Error::bad_input("/source/fields", detail));
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        typed: Typed,
    }

    fn origin(words: &[&str]) -> Result<Origin> {
        let line = Line::parse_from([&["index"], words].concat());
        line.typed.origin()
    }

    fn refused(words: &[&str], expected: &str) {
        let error = origin(words).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_typed_is_a_source() {
        let check = |words: &[&str], expected: Origin| assert_eq!(origin(words).unwrap(), expected);
        check(&["/docs"], Origin::folder("/docs"));
        let filter = Filter {
            include: vec!["*.md".into()],
            exclude: vec!["drafts/".into()],
        };
        check(
            &["/docs", "--include", "*.md", "--exclude", "drafts/"],
            Origin::Folder {
                path: "/docs".into(),
                filter,
            },
        );
        let rows = |fields: &[(&str, &str)]| Origin::Rows {
            path: "/a.csv".into(),
            fields: fields.iter().map(|(part, field)| ((*part).into(), (*field).into())).collect(),
        };
        check(&["/a.csv", "--rows"], rows(&[]));
        let fields = [("id", "sku"), ("metadata.price", "cost")];
        check(&["/a.csv", "--fields", "id=sku,metadata.price=cost"], rows(&fields));
    }

    #[test]
    fn an_option_that_would_do_nothing_is_refused() {
        refused(&["/a.csv", "--rows", "--include", "*"], "`--include` belongs to a folder");
        refused(&["/a.csv", "--uri", "x"], "--uri");
        refused(&["/a.csv", "--fields", "sku"], "PART=FIELD");
        refused(&["/a.csv", "--fields", "text=a,text=b"], "twice");
        let stdin = Line::parse_from(["index", "-"]).typed;
        assert!(stdin.is_stdin() && stdin.uri().unwrap_err().to_string().contains("--uri"));
    }
}
