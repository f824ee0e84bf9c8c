/** The side bar: workspace, channels, the app. */
import type { Channel, State } from "./api";
import { Avatar } from "./avatar";
import { channelHash, slug, type Place } from "./place";
import { unread } from "./state";

interface Props {
  state: State;
  place: Place;
  read: Record<string, string>;
}

function Row({ channel, here, count }: { channel: Channel; here: boolean; count: number }) {
  return (
    <a
      className={`row${count > 0 ? " unread" : ""}`}
      href={channelHash(channel)}
      aria-current={here ? "page" : undefined}
      aria-label={`${channel.private ? "private channel" : "channel"} ${channel.name}${count ? `, ${count} unread` : ""}`}
    >
      <span className="row-sign" aria-hidden="true">
        {channel.private ? (
          <svg viewBox="0 0 20 20" width="15" height="15"><path fill="none" stroke="currentColor" strokeWidth="1.7" d="M5 9h10v8H5zM7 9V6a3 3 0 0 1 6 0v3" /></svg>
        ) : (
          "#"
        )}
      </span>
      <span className="row-name">{channel.name}</span>
      {count > 0 && <span className="badge" aria-hidden="true">{count > 99 ? "99+" : count}</span>}
    </a>
  );
}

export function Sidebar({ state, place, read }: Props) {
  const channels = state.channels.filter((each) => !each.archived && !each.is_im).sort((a, b) => a.name.localeCompare(b.name));
  const direct = state.channels.find((each) => each.is_im);
  const inDirect = direct !== undefined && place.channel === slug(direct);
  const news = direct && !inDirect ? unread(state, direct.id, read[direct.id]) : 0;
  return (
    <nav className="sidebar" aria-label="Channels and apps">
      <header className="workspace">
        <h1>{state.team.name}</h1>
        <p>
          <Avatar id={state.me.id} name={state.me.name} size="small" /> {state.me.name}
        </p>
      </header>
      <div className="rows">
        <h2>Channels</h2>
        {channels.map((each) => (
          <Row key={each.id} channel={each} here={place.channel === slug(each)} count={place.channel === slug(each) ? 0 : unread(state, each.id, read[each.id])} />
        ))}
        <h2>Apps</h2>
        <a
          className={`row${news > 0 ? " unread" : ""}`}
          href={direct && news > 0 ? channelHash(direct) : "#@app"}
          aria-current={place.home || inDirect ? "page" : undefined}
        >
          <Avatar id={state.bot.user_id} name={state.bot.name} size="small" />
          <span className="row-name">{state.bot.name}</span>
          {news > 0 && <span className="badge">{news}</span>}
        </a>
      </div>
      <p className="local">A local Slack. Nothing here leaves this machine.</p>
    </nav>
  );
}
