// Icons of Lucide (ISC licence), drawn in the colour of the text around them.

import {
	Activity,
	ArrowLeft,
	Box,
	Camera,
	Check,
	ChevronDown,
	ChevronRight,
	CircleAlert,
	CircleCheck,
	CircleX,
	Clock,
	Copy,
	Cpu,
	Crosshair,
	Download,
	Eye,
	FileBox,
	FolderOpen,
	Gauge,
	HardDrive,
	History,
	House,
	Info,
	KeyRound,
	Layers,
	LogOut,
	Maximize,
	MemoryStick,
	Monitor,
	Moon,
	Pause,
	Pentagon,
	Play,
	Plus,
	RotateCcw,
	Ruler,
	ScissorsLineDashed,
	Search,
	Server,
	Settings2,
	Share2,
	SquareDashed,
	Sun,
	Trash2,
	TriangleAlert,
	UnfoldVertical,
	Upload,
	Users,
	X,
} from "lucide";
import { h } from "preact";

const all = {
	activity: Activity,
	back: ArrowLeft,
	box: Box,
	camera: Camera,
	check: Check,
	down: ChevronDown,
	right: ChevronRight,
	alert: CircleAlert,
	done: CircleCheck,
	failed: CircleX,
	clock: Clock,
	copy: Copy,
	cpu: Cpu,
	point: Crosshair,
	download: Download,
	eye: Eye,
	file: FileBox,
	folder: FolderOpen,
	gauge: Gauge,
	disk: HardDrive,
	history: History,
	home: House,
	info: Info,
	key: KeyRound,
	layers: Layers,
	logout: LogOut,
	fit: Maximize,
	memory: MemoryStick,
	monitor: Monitor,
	moon: Moon,
	pause: Pause,
	area: Pentagon,
	play: Play,
	plus: Plus,
	retry: RotateCcw,
	ruler: Ruler,
	cut: ScissorsLineDashed,
	search: Search,
	server: Server,
	settings: Settings2,
	share: Share2,
	section: SquareDashed,
	sun: Sun,
	trash: Trash2,
	warning: TriangleAlert,
	upload: Upload,
	height: UnfoldVertical,
	workers: Users,
	close: X,
} as const;

export type IconName = keyof typeof all;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
	return (
		<svg
			class="icon"
			width={size}
			height={size}
			viewBox="0 0 24 24"
			fill="none"
			stroke="currentColor"
			stroke-width="1.8"
			stroke-linecap="round"
			stroke-linejoin="round"
			aria-hidden="true"
		>
			{all[name].map(([tag, attributes]) => h(tag, attributes as Record<string, string>))}
		</svg>
	);
}

/** The mark of the product. */
export function Logo({ size = 26 }: { size?: number }) {
	return (
		<svg class="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
			<rect width="32" height="32" rx="8" class="logo-ground" />
			<path
				d="m16 6 9 5v10l-9 5-9-5V11zM7.4 11.2l8.6 4.9 8.6-4.9M16 16v9.6"
				fill="none"
				stroke="#fff"
				stroke-width="2.2"
				stroke-linejoin="round"
			/>
		</svg>
	);
}
