//! Shapes: well-known binary as SQL Server gives it, and as PostGIS takes it.
//!
//! SQL Server's `AsBinaryZM` writes ISO's numbers: 1000 more than the shape's for Z, 2000 for M, 3000 for both. PostGIS's own form (EWKB, in
//! `doc/ZMSgeoms.txt` of its sources) has a flag for each in the number's high bits, one more where the SRID follows, and that only at the outermost
//! shape.

use super::CellError;

const Z: u32 = 0x8000_0000;
const M: u32 = 0x4000_0000;
const SRID: u32 = 0x2000_0000;
/// The number under which SQL Server names the whole globe, for which PostgreSQL has no shape.
const FULL_GLOBE: u32 = 126;
/// How deep collections may stand in each other.
const DEPTH_MAX: u32 = 64;

/// Refuses what is not well-known binary of a shape.
pub(super) fn check(wkb: &[u8]) -> Result<(), CellError> {
    Reader { rest: wkb, little_endian: true }.head().map(|_| ())
}

/// Appends the EWKB of a shape that comes as four bytes of SRID, the most significant first, and its well-known binary.
pub(super) fn write_ewkb(out: &mut Vec<u8>, srid_and_wkb: &[u8]) -> Result<(), CellError> {
    let (srid, wkb) = srid_and_wkb.split_first_chunk::<4>().ok_or(BROKEN)?;
    let srid = u32::from_be_bytes(*srid);
    let mut reader = Reader { rest: wkb, little_endian: true };
    reader.shape(out, Some(srid).filter(|srid| *srid != 0), 0)?;
    if reader.rest.is_empty() { Ok(()) } else { Err(BROKEN) }
}

const BROKEN: CellError = CellError::Spatial("it is not the well-known binary of a shape");

struct Reader<'a> {
    rest: &'a [u8],
    little_endian: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], CellError> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(BROKEN)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, CellError> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>().ok_or(BROKEN)?;
        self.rest = rest;
        Ok(if self.little_endian { u32::from_le_bytes(*bytes) } else { u32::from_be_bytes(*bytes) })
    }

    fn put(&self, out: &mut Vec<u8>, number: u32) {
        out.extend_from_slice(&if self.little_endian { number.to_le_bytes() } else { number.to_be_bytes() });
    }

    /// Byte order and number of the next shape.
    fn head(&mut self) -> Result<u32, CellError> {
        self.little_endian = match self.take(1)? {
            [0] => false,
            [1] => true,
            _ => return Err(BROKEN),
        };
        match self.number()? {
            FULL_GLOBE => Err(CellError::Spatial("it is the whole globe (FullGlobe), for which PostgreSQL has no shape")),
            number if number < 4_000 => Ok(number),
            _ => Err(BROKEN),
        }
    }

    fn shape(&mut self, out: &mut Vec<u8>, srid: Option<u32>, depth: u32) -> Result<(), CellError> {
        let number = self.head()?;
        let (shape, dimensions) = (number % 1_000, number / 1_000);
        let (z, m) = (dimensions & 1 != 0, dimensions & 2 != 0);
        let flags = [(z, Z), (m, M), (srid.is_some(), SRID)].into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum::<u32>();
        out.push(u8::from(self.little_endian));
        self.put(out, shape | flags);
        if let Some(srid) = srid {
            self.put(out, srid);
        }
        let point_bytes = 8 * (2 + usize::from(z) + usize::from(m));
        match shape {
            // A point.
            1 => out.extend_from_slice(self.take(point_bytes)?),
            // A line, a circular string.
            2 | 8 => self.points(out, point_bytes)?,
            // A polygon of rings.
            3 => {
                for _ in 0..self.count(out)? {
                    self.points(out, point_bytes)?;
                }
            }
            // Several points, lines or polygons, a collection; a compound curve, a polygon of curves, several of either.
            4..=7 | 9..=12 if depth < DEPTH_MAX => {
                for _ in 0..self.count(out)? {
                    self.shape(out, None, depth + 1)?;
                }
            }
            _ => return Err(BROKEN),
        }
        Ok(())
    }

    fn count(&mut self, out: &mut Vec<u8>) -> Result<u32, CellError> {
        let count = self.number()?;
        self.put(out, count);
        Ok(count)
    }

    fn points(&mut self, out: &mut Vec<u8>, point_bytes: usize) -> Result<(), CellError> {
        let count = self.count(out)?;
        let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(point_bytes)).ok_or(BROKEN)?;
        out.extend_from_slice(self.take(bytes)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubles(values: &[f64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn hex(text: &str) -> Vec<u8> {
        let text: String = text.split_whitespace().collect();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn ewkb(srid: u32, wkb: &[u8]) -> Result<Vec<u8>, CellError> {
        let mut out = Vec::new();
        write_ewkb(&mut out, &[&srid.to_be_bytes(), wkb].concat()).map(|()| out)
    }

    #[test]
    fn a_point_gets_its_srid_and_flags() {
        // What PostGIS prints for SRID=4326;POINT(1 2), POINT Z, POINT M and POINT ZM.
        let cases = [
            ("01 01000000", vec![1.0, 2.0], "01 01000020 E6100000"),
            ("01 E9030000", vec![1.0, 2.0, 3.0], "01 010000A0 E6100000"),
            ("01 D1070000", vec![1.0, 2.0, 4.0], "01 01000060 E6100000"),
            ("01 B90B0000", vec![1.0, 2.0, 3.0, 4.0], "01 010000E0 E6100000"),
        ];
        for (from, coordinates, to) in cases {
            let coordinates = doubles(&coordinates);
            assert_eq!(ewkb(4326, &[hex(from), coordinates.clone()].concat()).unwrap(), [hex(to), coordinates].concat());
        }
        let flat = [hex("01 01000000"), doubles(&[0.0, 0.0])].concat();
        assert_eq!(ewkb(0, &flat).unwrap(), flat, "without an SRID there is nothing to say");
    }

    #[test]
    fn only_the_outermost_shape_carries_the_srid() {
        let point = |head: &str| [hex(head), doubles(&[1.0, 2.0, 3.0])].concat();
        let line = |head: &str| [hex(head), hex("02000000"), doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])].concat();
        let from = [hex("01 EF030000 02000000"), point("01 E9030000"), line("01 EA030000")].concat();
        let to = [hex("01 070000A0 E6100000 02000000"), point("01 01000080"), line("01 02000080")].concat();
        assert_eq!(ewkb(4326, &from).unwrap(), to);
    }

    #[test]
    fn rings_curves_and_the_other_byte_order_are_followed() {
        let ring = [hex("02000000"), doubles(&[0.0, 0.0, 1.0, 1.0])].concat();
        let polygon = [hex("01 03000000 02000000"), ring.clone(), ring.clone()].concat();
        assert_eq!(ewkb(7, &polygon).unwrap(), [hex("01 03000020 07000000 02000000"), ring.clone(), ring.clone()].concat());
        let curve = [hex("01 0A000000 01000000"), hex("01 09000000 01000000"), hex("01 08000000"), ring.clone()].concat();
        let expected = [hex("01 0A000020 07000000 01000000"), hex("01 09000000 01000000"), hex("01 08000000"), ring].concat();
        assert_eq!(ewkb(7, &curve).unwrap(), expected);
        let big = [hex("00 00000001"), doubles(&[1.0, 2.0])].concat();
        assert_eq!(ewkb(7, &big).unwrap(), [hex("00 20000001 00000007"), doubles(&[1.0, 2.0])].concat());
    }

    #[test]
    fn the_whole_globe_and_broken_shapes_are_refused() {
        let globe = hex("01 7E000000");
        assert!(check(&globe).unwrap_err().to_string().contains("FullGlobe"));
        assert!(ewkb(4326, &globe).unwrap_err().to_string().contains("FullGlobe"));
        for broken in
            ["", "01", "02 01000000", "01 01000000 00", "01 A10F0000", "01 02000000 FFFFFFFF", "01 07000000 00000000 00", "01 00000000"]
        {
            assert_eq!(ewkb(4326, &hex(broken)), Err(BROKEN), "{broken}");
        }
        let nested = [hex("01 07000000 01000000").repeat(100), hex("01 07000000 00000000")].concat();
        assert_eq!(ewkb(4326, &nested), Err(BROKEN));
    }
}
