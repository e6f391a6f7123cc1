namespace TorBalancer.Daemon.Takeover;

/// <summary>A part of the daemon that has something for the process that takes over.</summary>
internal interface IHandOverPart
{
    /// <summary>Its descriptors, which stay ours as well until <see cref="LeaveAsync"/>.</summary>
    IReadOnlyList<(TakeoverDescriptor What, int Descriptor)> Descriptors => [];

    /// <summary>Takes nobody new until <see cref="Resume"/>; who comes waits in the kernel's queues. All parts are asked at once.</summary>
    ValueTask PauseAsync() => ValueTask.CompletedTask;

    /// <summary>
    /// Nothing came of it: everything is as it was. Comes also where <see cref="PauseAsync"/> has not, because another part's failed; then
    /// nothing happens.
    /// </summary>
    void Resume()
    {
    }

    /// <summary>After <see cref="PauseAsync"/>: what is shared is the other process's from now on, and goes on there.</summary>
    ValueTask LeaveAsync(TakeoverReady successor, int processId);
}
