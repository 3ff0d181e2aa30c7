//! Markdown to HTML and to Jira's notation, for incident tools that want one or the other.
//!
//! The forms of both are Relay's, down to the line breaks, since notes are compared and searched.
//! Nothing is fetched, and raw HTML in the source stays as it is.

mod html;
mod jira;
mod read;
mod smart;

/// `source` as HTML.
pub(crate) fn html(source: &str) -> String {
    html::render(&read::document(source))
}

/// `source` in Jira's notation: code, links, images and rules; everything else is its text.
pub(crate) fn jira(source: &str) -> String {
    jira::render(&read::document(source))
}

/// A node of a document.
#[derive(Debug)]
struct Element {
    kind: Kind,
    children: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Document,
    Paragraph,
    Heading(u8),
    BlockQuote,
    CodeBlock { language: String, text: String },
    HtmlBlock(String),
    List { start: Option<u64>, tight: bool },
    Item,
    Rule,
    Table,
    TableHead,
    TableBody,
    TableRow,
    TableCell { heading: bool, align: &'static str },
    Emphasis,
    Strong,
    Strikethrough,
    Link { target: String, title: String },
    Image { target: String, title: String },
    Text(String),
    Code(String),
    Html(String),
    LineBreak,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_forms() {
        let cases = [
            ("", ""),
            ("x", "<p>x</p>\n"),
            ("# hi\n\n*x*", "<h1>hi</h1>\n\n<p><em>x</em></p>\n"),
            ("a\nb  \nc", "<p>a\nb<br>\nc</p>\n"),
            ("a\n\nb", "<p>a</p>\n\n<p>b</p>\n"),
            ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
            ("3. a\n4. b", "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>\n"),
            ("- a\n  - b", "<ul>\n<li>a\n\n<ul>\n<li>b</li>\n</ul></li>\n</ul>\n"),
            ("- a\n\n- b", "<ul>\n<li><p>a</p></li>\n\n<li><p>b</p></li>\n</ul>\n"),
            ("> q", "<blockquote>\n<p>q</p>\n</blockquote>\n"),
            ("```go\na < b\n```", "<pre><code class=\"language-go\">a &lt; b\n</code></pre>\n"),
            ("**a** ~~b~~ `c<`", "<p><strong>a</strong> <del>b</del> <code>c&lt;</code></p>\n"),
            ("[a](http://x \"t\")", "<p><a href=\"http://x\" title=\"t\">a</a></p>\n"),
            ("![a](i.png)", "<p><img src=\"i.png\" alt=\"a\" /></p>\n"),
            ("see https://x.y/z.", "<p>see <a href=\"https://x.y/z\">https://x.y/z</a>.</p>\n"),
            ("a\n\n---\n\nb", "<p>a</p>\n\n<hr>\n\n<p>b</p>\n"),
            (
                "\"a\" -- it's 1/2...",
                "<p>&ldquo;a&rdquo; &ndash; it&rsquo;s <sup>1</sup>&frasl;<sub>2</sub>&hellip;</p>\n",
            ),
            ("a & <b>b</b>", "<p>a &amp; <b>b</b></p>\n"),
            (
                "|a|b|\n|-|-:|\n|1|2|",
                "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n\n<tbody>\n<tr>\n<td>1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>\n",
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(html(source), expected, "{source}");
        }
    }

    #[test]
    fn jira_forms() {
        let cases = [
            ("--- `code` ---", "\n----\n{code}code{code}\n----\n"),
            ("[a](b)", "[a|b]"),
            ("[![t](i)](l) x", "\n\n[!i!|l] x"),
            ("%%% hi %%%", "hi"),
            ("**bold** text", "bold text"),
        ];
        for (source, expected) in cases {
            assert_eq!(jira(source), expected, "{source}");
        }
    }

    #[test]
    fn deep_nesting_is_flattened_not_followed() {
        let quotes = "> ".repeat(5000);
        assert!(html(&format!("{quotes}x")).contains('x'));
        let lists: String = (0..500).map(|depth| format!("{}- x\n", "  ".repeat(depth))).collect();
        assert!(html(&lists).contains('x'));
        assert!(jira(&"[".repeat(10_000)).contains('['));
    }
}
