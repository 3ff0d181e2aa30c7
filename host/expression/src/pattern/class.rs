//! Character classes of a pattern: `[a-z]`, `[[:alpha:]]`, `\d`, `\p{Greek}`.
//!
//! `\d`, `\s` and `\w` are ASCII, and brackets inside of a class are ordinary characters.

use super::Translator;

impl Translator<'_> {
    /// The inside of a class for `\d`, `\pL` and their like, if one stands here.
    pub(super) fn shorthand(&mut self) -> Result<Option<String>, String> {
        let start = self.at;
        let set = match self.rest().as_bytes().get(1) {
            Some(b'd') => "0-9",
            Some(b'D') => "[^0-9]",
            Some(b's') => "\\t\\n\\x0c\\r ",
            Some(b'S') => "[^\\t\\n\\x0c\\r ]",
            Some(b'w') => "0-9A-Za-z_",
            Some(b'W') => "[^0-9A-Za-z_]",
            Some(b'p' | b'P') => return self.unicode_class(start).map(Some),
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(set.to_owned()))
    }

    fn unicode_class(&mut self, start: usize) -> Result<String, String> {
        let mut negative = self.rest().as_bytes().get(1) == Some(&b'P');
        self.at += 2;
        let name = match self.take() {
            Some('{') => match self.rest().split_once('}') {
                Some((name, _)) => {
                    self.at += name.len() + 1;
                    name.to_owned()
                }
                None => String::new(),
            },
            Some(c) => c.to_string(),
            None => String::new(),
        };
        let bare = name.strip_prefix('^').unwrap_or(&name);
        negative ^= bare.len() < name.len();
        let known = !bare.is_empty()
            && bare.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
            && regex::Regex::new(&format!("\\p{{{bare}}}")).is_ok();
        if !known {
            let text = &self.pattern[start..self.at];
            return Err(format!("invalid character class range: `{text}`"));
        }
        Ok(format!("\\{}{{{bare}}}", if negative { 'P' } else { 'p' }))
    }

    pub(super) fn class(&mut self) -> Result<(), String> {
        let start = self.at;
        let mut set = String::from("[");
        self.take();
        if self.peek() == Some('^') {
            self.take();
            set.push('^');
        }
        let mut first = true;
        loop {
            match self.peek() {
                None => return Err(self.open_class(start)),
                Some(']') if !first => {
                    self.take();
                    break;
                }
                _ => {}
            }
            first = false;
            if let Some(named) = self.named_class()? {
                set.push_str(&named);
            } else if let Some(inner) = self.shorthand_in_class()? {
                set.push_str(&inner);
            } else {
                set.push_str(&self.range(start)?);
            }
        }
        set.push(']');
        self.emit(&set);
        Ok(())
    }

    fn open_class(&self, start: usize) -> String {
        format!("missing closing ]: `{}`", &self.pattern[start..])
    }

    fn shorthand_in_class(&mut self) -> Result<Option<String>, String> {
        if self.rest().starts_with('\\') { self.shorthand() } else { Ok(None) }
    }

    /// `[:alpha:]` inside of a class.
    fn named_class(&mut self) -> Result<Option<String>, String> {
        const NAMES: &[&str] = &[
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        let Some((name, _)) = self.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(None);
        };
        let whole = format!("[:{name}:]");
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(format!("invalid character class range: `{whole}`"));
        }
        self.at += whole.len();
        Ok(Some(whole))
    }

    fn range(&mut self, class_start: usize) -> Result<String, String> {
        let start = self.at;
        let low = self.class_char(class_start)?;
        let is_range = self.rest().starts_with('-') && !self.rest()[1..].starts_with(']');
        if !is_range || self.rest().len() == 1 {
            return Ok(class_literal(low));
        }
        self.take();
        let high = self.class_char(class_start)?;
        if high < low {
            let text = &self.pattern[start..self.at];
            return Err(format!("invalid character class range: `{text}`"));
        }
        Ok(format!("{}-{}", class_literal(low), class_literal(high)))
    }

    fn class_char(&mut self, class_start: usize) -> Result<char, String> {
        if self.peek() == Some('\\') {
            return self.escaped_char(self.at);
        }
        self.take().ok_or_else(|| self.open_class(class_start))
    }
}

fn class_literal(c: char) -> String {
    if c.is_ascii_punctuation() { format!("\\x{:02x}", u32::from(c)) } else { c.to_string() }
}
