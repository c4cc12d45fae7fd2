// Package crs reads and writes coordinate reference systems as they occur in
// point clouds and rasters, and transforms coordinates between them, in pure
// Go and without any data file beside the binary.
//
// A CRS comes from well-known text (WKT 1 of OGC 01-009 in GDAL's and ESRI's
// dialects, WKT 2 of OGC 18-010r11 / ISO 19162:2019 and its 2015 edition), from
// GeoTIFF keys (OGC 19-008r4) or from an EPSG code (tables in epsg/, made
// from the EPSG Dataset as PROJ carries it). The projections follow IOGP
// Publication 373-7-2 (EPSG Guidance Note 7-2), with the series of Karney
// (2011), "Transverse Mercator with an accuracy of a few nanometers", for
// Transverse Mercator. They agree with PROJ to better than 1 mm.
//
// # Coordinates
//
// Coordinates are always x, y, z, whatever axis order the authority gives:
// x = easting or longitude, y = northing or latitude, z = height; geocentric
// X, Y, Z. This is the order of LAS, GeoTIFF and every GIS file format.
// (Only the Transverse Mercator South Orientated grids of southern Africa keep
// what their axes say: x = westing, y = southing.) Units are those of the CRS:
// degrees (grads for the few CRS that use them) or linear units.
//
// # Heights
//
// The unit of z is that of the vertical CRS. A projected CRS without one has
// heights in its horizontal linear unit, which is the practice of LAS files in
// feet; a geographic CRS has metres. No geoid model is at hand: heights above
// the geoid pass for ellipsoidal heights, which displaces a model by the geoid
// undulation (up to about 100 m, constant over a site), never tilts or scales
// it. Transform.Note says so where it applies.
//
// # Datums
//
// A change of datum uses the TOWGS84 parameters of the source text, or the
// three or seven parameter transformation to WGS 84 that the tables name for
// the datum; else longitude and latitude are taken over unchanged, as PROJ's
// ballpark transformation does (NAD83 in all its realisations, ETRS89 and GDA
// differ from WGS 84 by less than about 2 m). Heights are taken over
// unchanged, except from or to a geocentric or three-dimensional CRS. Grid
// shifts (NADCON, NTv2) are not applied. Transform.Note gives the accuracy.
package crs
