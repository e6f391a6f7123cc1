namespace TorBalancer.Transport.Linux;

/// <summary>A tunnel whose bytes a second are limited: it waits between two reads, and moves them as any other.</summary>
internal sealed partial class LinuxTunnel : IPacedFlow
{
    /// <summary>Both directions of it. Null: nothing limits it.</summary>
    private sealed class Paces(LinuxTunnel tunnel, BandwidthPace pace)
    {
        private readonly PacedFlow _up = new(pace, tunnel._loop, tunnel), _down = new(pace, tunnel._loop, tunnel);

        /// <summary>A wait of ours is no silence of the peers.</summary>
        public bool IsWaiting => _up.IsWaiting || _down.IsWaiting;

        public PacedFlow Of(bool fromClient) => fromClient ? _up : _down;

        public void End()
        {
            _up.End();
            _down.End();
        }
    }

    void IPacedFlow.Resume() => Pump();

    private Step ReadPaced(ref Direction direction, PacedFlow flow)
    {
        // A connection that broke has an error to tell, which is not to wait.
        if (Source(direction).HasFailed)
            return Read(ref direction, int.MaxValue);
        int most = flow.Take();
        if (most == 0)
            return Step.Waits;
        long before = Moved(direction.FromClient);
        var step = Read(ref direction, most);
        int kept = (direction.Left is null ? 0 : direction.LeftEnd - direction.LeftStart) + (direction.Pipe?.Filled ?? 0);
        flow.Took((int)(Moved(direction.FromClient) - before) + kept);
        if (step == Step.Moved && !direction.Ended)
            return flow.IsSpent ? Step.TurnOver : step;
        flow.GiveBack();
        return step;
    }
}
