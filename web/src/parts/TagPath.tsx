// A path of which the end is always seen: in a narrow column it is the end that tells tags apart.

export function TagPath({ path }: { path: string }) {
  const cut = path.lastIndexOf('/') + 1;
  return (
    <span className="ls-path" title={path}>
      {/* Right-to-left puts the ellipsis at the start; the marks keep the slashes where they belong. */}
      {cut > 0 && <span>{`\u200e${path.slice(0, cut)}\u200e`}</span>}
      <b>{path.slice(cut)}</b>
    </span>
  );
}
