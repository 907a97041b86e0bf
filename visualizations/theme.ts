/** The colours and fonts of the drawings, light and dark. One file holds both: the viewer's own scheme decides. */
export type Scheme = 'light' | 'dark'

interface Palette {
  readonly canvas: string
  readonly frame: string
  readonly depths: readonly [string, string, string]
  readonly group: string
  readonly state: string
  readonly border: string
  readonly region: string
  readonly wire: string
  readonly label: string
  readonly name: string
  readonly note: string
  readonly event: string
  readonly timer: string
  readonly guard: string
  readonly command: string
  readonly update: string
}

const palettes: Readonly<Record<Scheme, Palette>> = {
  light: {
    canvas: '#ffffff',
    frame: '#d5dbe3',
    depths: ['#fbfcfd', '#f1f4f8', '#e8edf3'],
    group: '#f6f2fa',
    state: '#ffffff',
    border: '#aab4c2',
    region: '#8794a8',
    wire: '#7b8798',
    label: '#ffffff',
    name: '#17202c',
    note: '#5b6675',
    event: '#1d4fa8',
    timer: '#7a3fb0',
    guard: '#9a5b00',
    command: '#0b6e63',
    update: '#7c8796',
  },
  dark: {
    canvas: '#0d1117',
    frame: '#2b3340',
    depths: ['#11161d', '#171d26', '#1d2530'],
    group: '#1c1a28',
    state: '#222b38',
    border: '#4a5668',
    region: '#66748a',
    wire: '#7f8da1',
    label: '#0d1117',
    name: '#eef2f7',
    note: '#a3afbf',
    event: '#82b1ff',
    timer: '#cfa3f7',
    guard: '#eab45c',
    command: '#5fd1c0',
    update: '#8592a5',
  },
}

const FONTS = `
text { font-family: Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
.event, .timer, .guard, .command, .update, .word, .target {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
.title, .name { font-weight: 650; }
.event, .target { font-weight: 600; }
.timer { font-style: italic; }
.box { stroke-width: 1.2; }
.region { stroke-dasharray: 6 4; }
.group { stroke-dasharray: 1.5 3.5; stroke-linecap: round; }
.wire { fill: none; stroke-width: 1.3; }
.inner { fill: none; }`

/** The style sheet of a picture: both schemes, or one of them alone. */
export function styleSheet(only?: Scheme): string {
  if (only) return `${FONTS}${rulesOf(palettes[only])}\n`
  const dark = rulesOf(palettes.dark)
  return `${FONTS}${rulesOf(palettes.light)}\n@media (prefers-color-scheme: dark) {${dark}\n}\n`
}

function rulesOf(palette: Palette): string {
  const tones = ['note', 'event', 'timer', 'guard', 'command', 'update'] as const
  return [
    '',
    `.canvas { fill: ${palette.canvas}; }`,
    `.depth-0 { fill: ${palette.depths[0]}; stroke: ${palette.frame}; }`,
    `.depth-1 { fill: ${palette.depths[1]}; stroke: ${palette.border}; }`,
    `.depth-2 { fill: ${palette.depths[2]}; stroke: ${palette.border}; }`,
    `.mask-0 { fill: ${palette.depths[0]}; }`,
    `.mask-1 { fill: ${palette.depths[1]}; }`,
    `.mask-2 { fill: ${palette.depths[2]}; }`,
    `.group { fill: ${palette.group}; stroke: ${palette.region}; }`,
    `.group-mask { fill: ${palette.group}; }`,
    `.state { fill: ${palette.state}; stroke: ${palette.border}; }`,
    `.inner { stroke: ${palette.border}; }`,
    `.region { stroke: ${palette.region}; }`,
    `.wire { stroke: ${palette.wire}; }`,
    `.head, .dot { fill: ${palette.wire}; }`,
    `.label { fill: ${palette.label}; stroke: ${palette.frame}; }`,
    `.title, .name, .target { fill: ${palette.name}; }`,
    ...tones.map((tone) => `.${tone} { fill: ${palette[tone]}; }`),
    `.word { fill: ${palette.note}; }`,
  ].join('\n')
}
