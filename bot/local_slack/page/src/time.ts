/** Times as Slack shows them, in the reader's own zone. */

export const date = (ts: string): Date => new Date(Number(ts) * 1000);

export const clock = (ts: string): string => date(ts).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });

export const whole = (ts: string): string => {
  const at = date(ts);
  return `${at.toLocaleString([], { dateStyle: "full", timeStyle: "medium" })} (${at.toISOString().slice(0, 19).replace("T", " ")} UTC)`;
};

const day = (at: Date): number => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();

export const sameDay = (a: string, b: string): boolean => day(date(a)) === day(date(b));

export function dayName(ts: string, now: Date): string {
  const days = Math.round((day(now) - day(date(ts))) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  const year = date(ts).getFullYear() === now.getFullYear() ? undefined : ("numeric" as const);
  return date(ts).toLocaleDateString("en-US", { weekday: "long", month: "long", day: "numeric", year });
}

export function since(ts: string, now: Date): string {
  const minutes = Math.floor((now.getTime() - date(ts).getTime()) / 60_000);
  const [count, unit] = minutes < 60 ? [minutes, "minute"] : minutes < 1440 ? [Math.floor(minutes / 60), "hour"] : [Math.floor(minutes / 1440), "day"];
  return count < 1 ? "just now" : `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}
