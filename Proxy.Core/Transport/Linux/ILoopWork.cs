namespace TorBalancer.Transport.Linux;

/// <summary>
/// Something that an event loop runs. Being run means "look again": whoever queues it need not say why, and to be run
/// once too often does no harm.
/// </summary>
internal interface ILoopWork
{
    void Run();
}

/// <summary>Who hears of a descriptor's events.</summary>
internal interface IEventSink
{
    /// <param name="events">EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR (epoll_ctl(2)).</param>
    void OnEvents(uint events);

    /// <summary>Its turn comes soon: fetches what <see cref="OnEvents"/> will touch beyond the sink itself (<see cref="CacheLines"/>).</summary>
    /// <param name="further">False: what it refers to. True, some events later: what that refers to.</param>
    void Prefetch(bool further)
    {
    }
}
