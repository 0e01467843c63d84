//! RTF as tokens: groups, control words, letters.

/// A piece of an RTF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `{`
    Open,
    /// `}`
    Close,
    /// `\word` with its number, or a sign such as `\~`.
    Word(&'a str, Option<i32>),
    /// `\*\word`: what a reader that does not know it leaves out.
    Optional(&'a str),
    /// A letter as it stands there.
    Byte(u8),
    /// `\'hh`: a letter by its number.
    Code(u8),
}

/// The tokens of a file, one by one.
pub struct Tokens<'a> {
    rest: &'a [u8],
    /// Whether a group has just begun: only there `\*` means something.
    is_open: bool,
}

impl<'a> Tokens<'a> {
    /// The tokens of `bytes`.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            is_open: false,
        }
    }

    fn control(&mut self) -> Option<Token<'a>> {
        let letters = self.rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if letters == 0 {
            return self.sign();
        }
        let (word, rest) = self.rest.split_at(letters);
        let minus = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[minus..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = if digits == 0 { 0 } else { minus + digits };
        let (number, rest) = rest.split_at(length);
        self.rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let word = std::str::from_utf8(word).unwrap_or_default();
        let number = std::str::from_utf8(number).unwrap_or_default();
        // A number that no computer holds means nothing.
        let value = number.parse().ok();
        if word == "bin" {
            let length = if number.is_empty() {
                0
            } else {
                value.unwrap_or(i32::MAX).max(0) as usize
            };
            self.rest = self.rest.get(length..).unwrap_or_default();
        }
        Some(Token::Word(word, value))
    }

    fn sign(&mut self) -> Option<Token<'a>> {
        let (sign, rest) = self.rest.split_at_checked(1)?;
        self.rest = rest;
        match sign {
            b"'" => {
                let Some((code, rest)) = rest.split_at_checked(2) else {
                    self.rest = &[];
                    return None;
                };
                self.rest = rest;
                let code = std::str::from_utf8(code)
                    .ok()
                    .and_then(|code| u8::from_str_radix(code, 16).ok());
                Some(code.map_or(Token::Word("", None), Token::Code))
            }
            b"*" => {
                let Some(rest) = rest.trim_ascii_start().strip_prefix(b"\\") else {
                    return Some(Token::Word("", None));
                };
                self.rest = rest;
                let was_open = self.is_open;
                match self.control()? {
                    Token::Word(word, _) if was_open => Some(Token::Optional(word)),
                    token => Some(token),
                }
            }
            b"\r" | b"\n" => Some(Token::Word("par", None)),
            _ => Some(Token::Word(std::str::from_utf8(sign).unwrap_or_default(), None)),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let token = match first {
            b'{' => Some(Token::Open),
            b'}' => Some(Token::Close),
            b'\\' => self.control(),
            byte => Some(Token::Byte(*byte)),
        };
        self.is_open = token == Some(Token::Open);
        token
    }
}
