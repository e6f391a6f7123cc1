namespace TorBalancer.Transport.Linux;

/// <summary>
/// Something that an event loop runs. Being run means "look again": whoever queues it need not say why, and to be run
/// once too often does no harm.
/// </summary>
internal interface ILoopWork
{
    void Run();
}

/// <summary>Something that has had more than its share of an event loop's time and has still more to do.</summary>
internal interface ILoopTurn
{
    /// <summary>Its turn has come: it goes on.</summary>
    void TakeTurn();
}

/// <summary>Who hears of a descriptor's events.</summary>
internal interface IEventSink
{
    /// <param name="events">EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR (epoll_ctl(2)).</param>
    void OnEvents(uint events);

    /// <summary>Its turn comes soon: fetches what it refers to, as far as <see cref="OnEvents"/> touches that. Must not throw.</summary>
    void FetchNext()
    {
    }

    /// <summary>Some events after <see cref="FetchNext"/>: what those refer to in their turn. Must not throw.</summary>
    void FetchFurther()
    {
    }
}

/// <summary>A connection whose short messages its loop may hold back for a moment.</summary>
internal interface IHeldWriter
{
    /// <summary>Sends what was held back for it; must not throw.</summary>
    void SendHeld(ReadOnlySpan<byte> message);
}
