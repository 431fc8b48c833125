/** A share as length, for comparing down a column; the number stands beside it. Grey: it is not an alarm. */
export function Bar({ share, title }: { share: number; title?: string }) {
  return (
    <span className="ls-bar-track" title={title} aria-hidden={title === undefined}>
      <i style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }} />
    </span>
  );
}
