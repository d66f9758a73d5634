//! Reading dictionaries in FreeRADIUS's format, line by line: ATTRIBUTE, VALUE, VENDOR,
//! BEGIN-VENDOR, END-VENDOR, BEGIN-TLV, END-TLV, $INCLUDE.
//!
//! What a dictionary may define and Doorward cannot send is kept by name, so that who asks for it
//! is told why. What cannot be understood at all is a fault with its file and line. Files, lines,
//! octets and depth are bounded.

use std::fmt;
use std::sync::Arc;

use super::{Definition, Format, Shape, Tables, Vendor};

/// The most files of one reading; FreeRADIUS ships some 230.
const MAX_FILES: usize = 1000;
/// The most octets of one reading; FreeRADIUS's are one million.
const MAX_OCTETS: usize = 16 << 20;
/// The longest line, in octets.
const MAX_LINE: usize = 1024;
/// The longest name.
const MAX_NAME: usize = 128;
/// How deep files may include files.
const MAX_DEPTH: usize = 8;
/// The most faults that are told of.
const MAX_FAULTS: usize = 20;

/// The text of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path, as errors show it and as includes are looked for beside it.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Where included files come from.
pub trait Files {
    /// The file that `$INCLUDE name` in the file `from` names.
    ///
    /// # Errors
    /// Why there is none, for people.
    fn include(&mut self, from: &str, name: &str) -> Result<Source, String>;
}

/// No file includes another.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

impl Files for NoFiles {
    fn include(&mut self, _: &str, _: &str) -> Result<Source, String> {
        Err("it cannot include files".to_owned())
    }
}

/// What cannot be understood, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct Fault {
    /// The file.
    pub file: String,
    /// The line, from one.
    pub line: usize,
    /// What is wrong, and what would do.
    pub message: String,
}

/// All that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Each, in the order of reading.
    pub fn all(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        formatter.write_str(&texts.join("\n"))
    }
}

/// Reads every source and what it includes.
pub(super) fn read(sources: Vec<Source>, files: &mut dyn Files) -> Result<Tables, Faults> {
    let mut reading = Reading {
        tables: Tables::default(),
        faults: Vec::new(),
        files_read: 0,
        octets_read: 0,
        values: Vec::new(),
    };
    for source in sources {
        reading.file(&source, 0, files);
    }
    reading.finish()
}

/// A VALUE whose attribute may stand further below.
struct NamedValue {
    file: Arc<str>,
    line: usize,
    attribute: String,
    name: String,
    number: u64,
}

struct Reading {
    tables: Tables,
    faults: Vec<Fault>,
    files_read: usize,
    octets_read: usize,
    values: Vec<NamedValue>,
}

/// In what a line stands.
#[derive(Default)]
struct Scope {
    vendor: Option<Arc<Vendor>>,
    /// Attributes of this block have a form that is not sent.
    extended: bool,
    tlvs: Vec<String>,
}

impl Reading {
    fn finish(mut self) -> Result<Tables, Faults> {
        for value in std::mem::take(&mut self.values) {
            let folded = value.attribute.to_ascii_lowercase();
            let message = if self.tables.attributes.contains_key(&folded) {
                let known = self.tables.values.entry(folded).or_default();
                match known.insert(value.name.to_ascii_lowercase(), value.number) {
                    Some(other) if other != value.number => {
                        format!("{} of {} is {other} already", value.name, value.attribute)
                    }
                    _ => continue,
                }
            } else {
                format!(
                    "there is no attribute '{}' of which '{}' could be a value",
                    value.attribute, value.name
                )
            };
            self.fault(&value.file, value.line, message);
        }
        if self.faults.is_empty() {
            Ok(self.tables)
        } else {
            Err(Faults(self.faults))
        }
    }

    fn fault(&mut self, file: &str, line: usize, message: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault {
                file: file.to_owned(),
                line,
                message: message.into(),
            });
        }
    }

    fn file(&mut self, source: &Source, depth: usize, files: &mut dyn Files) {
        self.files_read += 1;
        self.octets_read = self.octets_read.saturating_add(source.text.len());
        if self.octets_read > MAX_OCTETS {
            let message = format!("dictionaries have at most {MAX_OCTETS} octets together");
            self.fault(&source.name, 1, message);
            return;
        }
        let file: Arc<str> = source.name.as_str().into();
        let mut scope = Scope::default();
        let mut last = 1;
        for (index, line) in source.text.lines().enumerate() {
            last = index + 1;
            if let Err(message) = self.line(&file, last, line, &mut scope, depth, files) {
                self.fault(&file, last, message);
            }
        }
        if let Some(tlv) = scope.tlvs.last() {
            self.fault(&file, last, format!("BEGIN-TLV {tlv} has no END-TLV"));
        } else if let Some(vendor) = &scope.vendor {
            let message = format!("BEGIN-VENDOR {} has no END-VENDOR", vendor.name);
            self.fault(&file, last, message);
        }
    }

    fn line(
        &mut self,
        file: &Arc<str>,
        number: usize,
        line: &str,
        scope: &mut Scope,
        depth: usize,
        files: &mut dyn Files,
    ) -> Result<(), String> {
        if line.len() > MAX_LINE {
            return Err(format!("a line has at most {MAX_LINE} octets"));
        }
        let said = line.split_once('#').map_or(line, |(said, _)| said);
        let words: Vec<&str> = said.split_whitespace().collect();
        match *words.as_slice() {
            [] => Ok(()),
            [word, name, value, shape, ref rest @ ..] if is(word, "ATTRIBUTE") => {
                self.attribute(scope, name, value, shape, rest)
            }
            [word, attribute, name, value] if is(word, "VALUE") => {
                self.values.push(NamedValue {
                    file: Arc::clone(file),
                    line: number,
                    attribute: named(attribute)?,
                    name: named(name)?,
                    number: integer(value)?,
                });
                Ok(())
            }
            [word, name, value, ref rest @ ..] if is(word, "VENDOR") => {
                self.vendor(name, value, rest)
            }
            [word, name, ref rest @ ..] if is(word, "BEGIN-VENDOR") => {
                self.begin_vendor(scope, name, rest)
            }
            [word, name] if is(word, "END-VENDOR") => {
                let open = scope.vendor.take().filter(|open| is(&open.name, name));
                scope.extended = false;
                open.map(drop)
                    .ok_or_else(|| format!("END-VENDOR {name} ends nothing that was begun"))
            }
            [word, name] if is(word, "BEGIN-TLV") => {
                if scope.tlvs.len() >= MAX_DEPTH {
                    return Err(format!("BEGIN-TLV nests at most {MAX_DEPTH} deep"));
                }
                scope.tlvs.push(named(name)?);
                Ok(())
            }
            [word, name] if is(word, "END-TLV") => {
                let open = scope.tlvs.pop().filter(|open| is(open, name));
                open.map(drop)
                    .ok_or_else(|| format!("END-TLV {name} ends nothing that was begun"))
            }
            [word, name] if is(word, "$INCLUDE") => {
                if depth + 1 >= MAX_DEPTH {
                    return Err(format!("files include files at most {MAX_DEPTH} deep"));
                }
                if self.files_read >= MAX_FILES {
                    return Err(format!("dictionaries are at most {MAX_FILES} files"));
                }
                let source = files.include(file, name)?;
                self.file(&source, depth + 1, files);
                Ok(())
            }
            [word, ..] => Err(match known_word(word) {
                Some(form) => format!("it is written: {form}"),
                None => format!(
                    "'{}' begins no line of a dictionary: ATTRIBUTE, VALUE, VENDOR, BEGIN-VENDOR, \
                     END-VENDOR, BEGIN-TLV, END-TLV or $INCLUDE does",
                    shown(word)
                ),
            }),
        }
    }

    fn vendor(&mut self, name: &str, value: &str, rest: &[&str]) -> Result<(), String> {
        let number = u32::try_from(integer(value)?)
            .map_err(|_| format!("{value} is no enterprise number"))?;
        let format = match rest {
            [] => Format::USUAL,
            [one] => format_of(one)?,
            _ => return Err("it is written: VENDOR NAME NUMBER [format=1,1]".to_owned()),
        };
        let vendor = Arc::new(Vendor {
            name: named(name)?,
            number,
            format,
        });
        let folded = name.to_ascii_lowercase();
        let before = self.tables.vendors.insert(folded, Arc::clone(&vendor));
        match before {
            Some(before) if before.number != number || before.format != format => Err(format!(
                "the vendor {name} is {} already, in another way",
                before.number
            )),
            _ => Ok(()),
        }
    }

    fn begin_vendor(&mut self, scope: &mut Scope, name: &str, rest: &[&str]) -> Result<(), String> {
        if let Some(open) = &scope.vendor {
            return Err(format!("BEGIN-VENDOR {} is not ended yet", open.name));
        }
        let vendor = self.tables.vendors.get(&name.to_ascii_lowercase());
        let vendor = vendor.ok_or_else(|| {
            format!(
                "there is no VENDOR '{}' above this line: say its number first",
                shown(name)
            )
        })?;
        scope.vendor = Some(Arc::clone(vendor));
        scope.extended = !rest.is_empty();
        Ok(())
    }

    fn attribute(
        &mut self,
        scope: &Scope,
        name: &str,
        number: &str,
        shape: &str,
        rest: &[&str],
    ) -> Result<(), String> {
        let name = named(name)?;
        let mut shape = shape_of(shape)?;
        let mut vendor = scope.vendor.clone();
        let mut tagged = false;
        for flag in rest.iter().flat_map(|flags| flags.split(',')) {
            match flag.to_ascii_lowercase().as_str() {
                "has_tag" => tagged = true,
                "encrypt=1" | "encrypt=2" | "encrypt=3" => {
                    shape =
                        Shape::Unsendable("it hides a secret, and Doorward keeps none of those");
                }
                "array" | "concat" | "secret" | "encrypt=0" => {}
                "virtual" | "internal" => shape = Shape::Unsendable(INTERNAL),
                other => match self.tables.vendors.get(other) {
                    // The way it was written once: the vendor behind the type.
                    Some(named) if vendor.is_none() => vendor = Some(Arc::clone(named)),
                    _ => {
                        return Err(format!(
                            "'{}' says nothing of an attribute: has_tag, encrypt=N, array, concat, \
                             secret, virtual or internal does",
                            shown(flag)
                        ));
                    }
                },
            }
        }
        if tagged && !matches!(shape, Shape::Text | Shape::Integer | Shape::Unsendable(_)) {
            return Err("only a string and an integer can have a tag (RFC 2868)".to_owned());
        }
        let (outer, inner) = match number.split_once('.') {
            None => (number, false),
            Some((outer, inner)) => {
                for part in inner.split('.') {
                    integer(part)?;
                }
                (outer, true)
            }
        };
        let number = u32::try_from(integer(outer)?)
            .map_err(|_| format!("{outer} is no number of an attribute"))?;
        if inner || !scope.tlvs.is_empty() {
            shape = Shape::Unsendable("it is a part of another attribute");
        } else if scope.extended {
            shape = Shape::Unsendable("it is an extended attribute (RFC 6929)");
        } else if let Some(vendor) = &vendor {
            let most = match vendor.format.number {
                1 => u32::from(u8::MAX),
                2 => u32::from(u16::MAX),
                _ => u32::MAX,
            };
            if number > most {
                shape = Shape::Unsendable("its number is not one that its vendor can write");
            }
        } else if number == 0 || number > u32::from(u8::MAX) {
            shape = Shape::Unsendable(INTERNAL);
        }
        let folded = name.to_ascii_lowercase();
        let definition = Definition {
            name,
            vendor,
            number,
            shape,
            tagged,
        };
        let clash = self.tables.attributes.get(&folded).and_then(|before| {
            let same = before.number == definition.number
                && before.shape == definition.shape
                && before.tagged == definition.tagged
                && before.vendor.as_ref().map(|vendor| vendor.number)
                    == definition.vendor.as_ref().map(|vendor| vendor.number);
            (!same).then(|| {
                format!(
                    "{} is {} already, in another way",
                    before.name, before.number
                )
            })
        });
        if let Some(clash) = clash {
            return Err(clash);
        }
        self.tables.attributes.insert(folded, definition);
        Ok(())
    }
}

const INTERNAL: &str = "it is FreeRADIUS's own, and goes into no packet";

/// Whether two words are the same.
fn is(word: &str, wanted: &str) -> bool {
    word.eq_ignore_ascii_case(wanted)
}

/// How a line is written that begins with this word.
fn known_word(word: &str) -> Option<&'static str> {
    [
        "ATTRIBUTE NAME NUMBER TYPE [FLAGS]",
        "VALUE ATTRIBUTE NAME NUMBER",
        "VENDOR NAME NUMBER [format=1,1]",
        "BEGIN-VENDOR NAME",
        "END-VENDOR NAME",
        "BEGIN-TLV NAME",
        "END-TLV NAME",
        "$INCLUDE FILE",
    ]
    .into_iter()
    .find(|form| form.split(' ').next().is_some_and(|first| is(word, first)))
}

/// A word as an error shows it.
fn shown(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn named(name: &str) -> Result<String, String> {
    let shaped = name.len() <= MAX_NAME && name.chars().all(|c| c.is_ascii_graphic());
    shaped.then(|| name.to_owned()).ok_or_else(|| {
        format!(
            "'{}' is no name: at most {MAX_NAME} printable ASCII characters",
            shown(name)
        )
    })
}

fn integer(text: &str) -> Result<u64, String> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let read = match hexadecimal {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    };
    read.ok_or_else(|| {
        format!(
            "'{}' is no number: write it in decimal, or in hexadecimal after 0x",
            shown(text)
        )
    })
}

fn format_of(text: &str) -> Result<Format, String> {
    let refused = || {
        format!(
            "'{}' is no format of a vendor: write format=N,L with N 1, 2 or 4 and L 0, 1 or 2, or \
             format=1,1,c",
            shown(text)
        )
    };
    let written = text.to_ascii_lowercase();
    let widths = written.strip_prefix("format=").ok_or_else(refused)?;
    let (number, rest) = widths.split_once(',').ok_or_else(refused)?;
    let (length, continued) = match rest.split_once(',') {
        None => (rest, false),
        Some((length, "c")) => (length, true),
        Some(_) => return Err(refused()),
    };
    let number = match number {
        "1" => 1,
        "2" => 2,
        "4" => 4,
        _ => return Err(refused()),
    };
    let length = match length {
        "0" => 0,
        "1" => 1,
        "2" => 2,
        _ => return Err(refused()),
    };
    if continued && (number, length) != (1, 1) {
        return Err(refused());
    }
    Ok(Format {
        number,
        length,
        continued,
    })
}

fn shape_of(text: &str) -> Result<Shape, String> {
    let folded = text.to_ascii_lowercase();
    if let Some(width) = folded
        .strip_prefix("octets[")
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return match width.parse::<usize>() {
            Ok(width @ 1..=253) => Ok(Shape::Octets(Some(width))),
            _ => Err(format!(
                "'{}' is no width: octets[1] to octets[253]",
                shown(text)
            )),
        };
    }
    Ok(match folded.as_str() {
        "string" => Shape::Text,
        "octets" => Shape::Octets(None),
        "ipaddr" | "ipv4addr" => Shape::Ipv4,
        "ipv6addr" => Shape::Ipv6,
        "combo-ip" | "ip" => Shape::Address,
        "ipv4prefix" => Shape::Ipv4Prefix,
        "ipv6prefix" => Shape::Ipv6Prefix,
        "byte" | "uint8" => Shape::Byte,
        "short" | "uint16" => Shape::Short,
        "integer" | "uint32" => Shape::Integer,
        "integer64" | "uint64" => Shape::Integer64,
        "signed" | "int32" => Shape::Signed,
        "date" => Shape::Date,
        "ifid" => Shape::InterfaceId,
        "ether" => Shape::Ethernet,
        "tlv" => Shape::Unsendable("it is made of parts (tlv)"),
        "abinary" => Shape::Unsendable("it is an Ascend binary filter"),
        "extended" | "long-extended" | "evs" => {
            Shape::Unsendable("it is an extended attribute (RFC 6929)")
        }
        "vsa" => {
            Shape::Unsendable("it is the envelope of vendors' attributes: write one of theirs")
        }
        _ => {
            return Err(format!(
                "'{}' is no type: string, octets, octets[N], ipaddr, ipv6addr, combo-ip, \
                 ipv4prefix, ipv6prefix, byte, short, integer, integer64, signed, date, ifid or \
                 ether is",
                shown(text)
            ));
        }
    })
}
