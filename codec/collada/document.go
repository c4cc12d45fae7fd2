// Package collada reads models of COLLADA 1.4 and 1.5 (.dae) as glTF documents.
//
// It follows "COLLADA – Digital Asset Schema Release 1.4.1" of Khronos: triangles,
// polygons and lines with their hierarchy, unit, up axis, materials and textures.
// Skins are shown in their bind pose; animations, splines and physics are left out.
package collada

import "encoding/xml"

type document struct {
	XMLName xml.Name `xml:"COLLADA"`
	Asset   struct {
		Unit struct {
			Meter float64 `xml:"meter,attr"`
		} `xml:"unit"`
		UpAxis string `xml:"up_axis"`
	} `xml:"asset"`
	Images      []image      `xml:"library_images>image"`
	Effects     []effect     `xml:"library_effects>effect"`
	Materials   []material   `xml:"library_materials>material"`
	Geometries  []geometry   `xml:"library_geometries>geometry"`
	Controllers []controller `xml:"library_controllers>controller"`
	Nodes       []node       `xml:"library_nodes>node"`
	Scenes      []struct {
		ID    string `xml:"id,attr"`
		Nodes []node `xml:"node"`
	} `xml:"library_visual_scenes>visual_scene"`
	Scene struct {
		URL string `xml:"url,attr"`
	} `xml:"scene>instance_visual_scene"`
	Animations []struct{} `xml:"library_animations>animation"`
}

type image struct {
	ID       string `xml:"id,attr"`
	InitFrom struct {
		Text string `xml:",chardata"`
		Ref  string `xml:"ref"`
	} `xml:"init_from"`
}

type effect struct {
	ID        string     `xml:"id,attr"`
	Params    []newparam `xml:"profile_COMMON>newparam"`
	Technique struct {
		Phong    *shading `xml:"phong"`
		Blinn    *shading `xml:"blinn"`
		Lambert  *shading `xml:"lambert"`
		Constant *shading `xml:"constant"`
	} `xml:"profile_COMMON>technique"`
}

type newparam struct {
	SID     string `xml:"sid,attr"`
	Surface struct {
		InitFrom string `xml:"init_from"`
	} `xml:"surface"`
	Sampler struct {
		Source   string `xml:"source"`
		Instance struct {
			URL string `xml:"url,attr"`
		} `xml:"instance_image"`
	} `xml:"sampler2D"`
}

type shading struct {
	Emission     colorOrTexture `xml:"emission"`
	Diffuse      colorOrTexture `xml:"diffuse"`
	Transparent  colorOrTexture `xml:"transparent"`
	Transparency *float64       `xml:"transparency>float"`
	Shininess    *float64       `xml:"shininess>float"`
}

type colorOrTexture struct {
	Opaque  string `xml:"opaque,attr"`
	Color   string `xml:"color"`
	Texture *struct {
		Name string `xml:"texture,attr"`
	} `xml:"texture"`
}

type material struct {
	ID     string `xml:"id,attr"`
	Name   string `xml:"name,attr"`
	Effect struct {
		URL string `xml:"url,attr"`
	} `xml:"instance_effect"`
}

type geometry struct {
	ID   string `xml:"id,attr"`
	Name string `xml:"name,attr"`
	Mesh struct {
		Sources  []source `xml:"source"`
		Vertices struct {
			ID     string  `xml:"id,attr"`
			Inputs []input `xml:"input"`
		} `xml:"vertices"`
		Triangles []elements `xml:"triangles"`
		Polylists []elements `xml:"polylist"`
		Polygons  []elements `xml:"polygons"`
		Lines     []elements `xml:"lines"`
	} `xml:"mesh"`
}

type source struct {
	ID       string `xml:"id,attr"`
	Floats   string `xml:"float_array"`
	Accessor struct {
		Stride int `xml:"stride,attr"`
		Offset int `xml:"offset,attr"`
	} `xml:"technique_common>accessor"`
}

type input struct {
	Semantic string `xml:"semantic,attr"`
	Source   string `xml:"source,attr"`
	Offset   int    `xml:"offset,attr"`
	Set      int    `xml:"set,attr"`
}

type elements struct {
	Material string   `xml:"material,attr"`
	Inputs   []input  `xml:"input"`
	Counts   string   `xml:"vcount"`
	Indices  []string `xml:"p"`
}

type controller struct {
	ID   string `xml:"id,attr"`
	Skin struct {
		Source string `xml:"source,attr"`
	} `xml:"skin"`
}

type node struct {
	ID          string      `xml:"id,attr"`
	Name        string      `xml:"name,attr"`
	Transforms  []transform `xml:",any"`
	Nodes       []node      `xml:"node"`
	Instances   []instance  `xml:"instance_geometry"`
	Controllers []instance  `xml:"instance_controller"`
	References  []struct {
		URL string `xml:"url,attr"`
	} `xml:"instance_node"`
}

// transform is a matrix, translate, rotate, scale or lookat, in their order; other
// elements land here, too, and are passed over.
type transform struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

type instance struct {
	URL       string `xml:"url,attr"`
	Materials []struct {
		Symbol string `xml:"symbol,attr"`
		Target string `xml:"target,attr"`
	} `xml:"bind_material>technique_common>instance_material"`
}
