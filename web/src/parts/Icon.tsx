// Line drawings, 24×24, in the colour of the text.

const paths = {
  plant: 'M3 21V10l6 4v-4l6 4V5h6v16zM8 17h2M14 17h2',
  trend: 'M3 3v18h18M6 15l4-5 4 3 6-8',
  alarm: 'M12 3 22 20H2zM12 10v5M12 17.2v.6',
  device: 'M4 5h16v10H4zM8 19h8M12 15v4M8 9h.1M12 9h4',
  assets: 'M9 3h6v5H9zM3 16h6v5H3zM15 16h6v5h-6zM12 8v4M6 16v-4h12v4',
  users: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-7 7-7s7 3 7 7M16 4a3.5 3.5 0 0 1 0 7M18 14c2.5.7 4 3 4 7',
  audit: 'M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h7',
  system: 'M4 12h4l2-6 4 12 2-6h4',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5',
  moon: 'M20 14a8 8 0 1 1-9-11 7 7 0 0 0 9 11z',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2',
  density: 'M4 6h16M4 10h16M4 14h16M4 18h16',
  help: 'M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 17.5v.5M12 22a10 10 0 1 0 0-20 10 10 0 0 0 0 20z',
  person: 'M12 12a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM4 21c0-4.5 3.5-7 8-7s8 2.5 8 7',
  quality: 'M4 13l4 4 5-9M14 17l2 2 5-6M4 5h9',
  question: 'M4 4h16v12H10l-5 4v-4H4zM10 8a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1M12 13.2v.3',
  transfer: 'M7 20V5M3 9l4-4 4 4M17 4v15M13 15l4 4 4-4',
  storage:
    'M12 9c4.4 0 8-1.3 8-3s-3.6-3-8-3-8 1.3-8 3 3.6 3 8 3zM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
  plus: 'M12 5v14M5 12h14',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}
