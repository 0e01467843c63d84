// The drawings of the page, all decorative.

export function Rose({ size }: { size: number }) {
  const winds = [22.5, 67.5, 112.5, 157.5, 202.5, 247.5, 292.5, 337.5];
  return (
    <svg className="rose" width={size} height={size} viewBox="-50 -50 100 100" aria-hidden="true" focusable="false">
      <circle r="46" className="rose-ring" />
      <circle r="39" className="rose-ring thin" />
      {winds.map((angle) => <path key={angle} className="rose-tick" d="M0-46V-39" transform={`rotate(${angle})`} />)}
      {[45, 135, 225, 315].map((angle) => (
        <g key={angle} transform={`rotate(${angle}) scale(.66)`}>
          <path className="rose-sea" d="M0-46 8-8 0 0Z" /><path className="rose-pale" d="M0-46-8-8 0 0Z" />
        </g>
      ))}
      {[90, 180, 270].map((angle) => (
        <g key={angle} transform={`rotate(${angle})`}>
          <path className="rose-ink" d="M0-44 9-9 0 0Z" /><path className="rose-pale" d="M0-44-9-9 0 0Z" />
        </g>
      ))}
      <path className="rose-north" d="M0-48 9-9 0 0Z" /><path className="rose-north dim" d="M0-48-9-9 0 0Z" />
    </svg>
  );
}

const line = { width: 20, height: 20, viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", strokeWidth: 1.8, "aria-hidden": true } as const;

export const Moon = () => <svg {...line}><path d="M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z" /></svg>;
export const Sun = () => (
  <svg {...line}><circle cx="12" cy="12" r="4" /><path d="M12 2v3m0 14v3M2 12h3m14 0h3M5 5l2 2m10 10 2 2M5 19l2-2M17 7l2-2" /></svg>
);
