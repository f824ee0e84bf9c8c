/** Initials on a colour that belongs to the id: no picture is asked of anybody. */
const COLOURS = ["#2eb67d", "#36c5f0", "#e01e5a", "#ecb22e", "#7c3aed", "#1264a3", "#c2410c", "#0f766e"];

const sum = (id: string): number => [...id].reduce((total, letter) => (total * 31 + letter.charCodeAt(0)) % 9973, 7);

export function Avatar({ id, name, size = "" }: { id: string; name: string; size?: "" | "small" }) {
  const initials = name.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((word) => word[0]).join("");
  return (
    <span className={`avatar ${size}`} style={{ background: COLOURS[sum(id) % COLOURS.length] }} aria-hidden="true">
      {initials.toUpperCase()}
    </span>
  );
}
