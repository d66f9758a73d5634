//! A rollback journal as somebody would plant it beside a database.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// How SQLite marks a journal, at its beginning and behind the name of a super-journal.
const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const SECTOR: u32 = 512;

/// Puts a journal beside `database` that has no page in it, and `victim` for its super-journal:
/// whoever opens the database with SQLite deletes that file.
pub(crate) fn plant(database: &Path, victim: &Path) {
    let bytes = fs::read(database).unwrap();
    let page = match u16::from_be_bytes([bytes[16], bytes[17]]) {
        1 => 65_536,
        size => u32::from(size),
    };
    let pages = u32::try_from(bytes.len()).unwrap() / page;
    let mut journal = MAGIC.to_vec();
    for number in [0, 0x1234, pages, SECTOR, page] {
        journal.extend(number.to_be_bytes());
    }
    journal.resize(usize::try_from(SECTOR).unwrap(), 0);
    let name = victim.as_os_str().as_bytes();
    let sum: u32 = name.iter().map(|byte| u32::from(*byte)).sum();
    journal.extend((0x4000_0000 / page + 1).to_be_bytes());
    journal.extend(name);
    journal.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
    journal.extend(sum.to_be_bytes());
    journal.extend(MAGIC);
    let mut beside = database.as_os_str().to_owned();
    beside.push("-journal");
    fs::write(beside, journal).unwrap();
}
