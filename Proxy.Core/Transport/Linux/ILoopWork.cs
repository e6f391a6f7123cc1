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
}
