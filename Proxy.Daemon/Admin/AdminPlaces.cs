using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// The connections of one address. When all places are taken, the one that has kept the daemon waiting longest makes room for
/// the newcomer: first those that have no request (half a head or body, or idle), then those that do not read their answer.
/// So nobody who takes places and does nothing with them can keep the others out, however often he comes back.
/// </summary>
/// <param name="limit">Places.</param>
internal sealed class AdminPlaces(int limit)
{
    private readonly Lock _lock = new();
    private readonly HashSet<AdminPlace> _places = [];
    private long _turn;

    /// <summary>Runs a connection in a place; closes it at once when all places are taken by requests that are worked on.</summary>
    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var place = new AdminPlace(this, connection);
        if (!Take(place, out var evicted))
        {
            connection.Abort();
            return;
        }

        evicted?.End();
        connection.Features.Set(place);
        try
        {
            await next(connection);
        }
        finally
        {
            lock (_lock)
                _places.Remove(place);
        }
    }

    internal void Move(AdminPlace place, AdminPlaceState state)
    {
        lock (_lock)
            place.Set(state, ++_turn);
    }

    private bool Take(AdminPlace place, out AdminPlace? evicted)
    {
        evicted = null;
        lock (_lock)
        {
            if (_places.Count >= limit)
            {
                foreach (var one in _places)
                {
                    if (one.State != AdminPlaceState.Working
                        && (evicted is null || (one.State, one.Turn).CompareTo((evicted.State, evicted.Turn)) < 0))
                        evicted = one;
                }

                if (evicted is null)
                    return false;
                _places.Remove(evicted);
            }

            place.Set(AdminPlaceState.Receiving, ++_turn);
            _places.Add(place);
            return true;
        }
    }
}

/// <summary>Whom a connection waits for, the first to make room first.</summary>
internal enum AdminPlaceState : byte
{
    /// <summary>Its client has not sent a whole request.</summary>
    Receiving,

    /// <summary>Its client may read an answer.</summary>
    Answering,

    /// <summary>Us.</summary>
    Working,
}

/// <summary>One connection's place.</summary>
internal sealed class AdminPlace(AdminPlaces places, ConnectionContext connection)
{
    public AdminPlaceState State { get; private set; }

    /// <summary>When it came into its state: an earlier one has a lower number.</summary>
    public long Turn { get; private set; }

    /// <summary>The step of the web server that tells a connection's place what becomes of its requests.</summary>
    public static async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        bool hasBody = context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? false;
        if (!hasBody)
            context.MoveTo(AdminPlaceState.Answering);
        try
        {
            await next(context);
        }
        finally
        {
            context.MoveTo(AdminPlaceState.Receiving);
        }
    }

    public void MoveTo(AdminPlaceState state) => places.Move(this, state);

    public void End() => connection.Abort(new ConnectionAbortedException("its place was needed"));

    /// <summary>For the places, under their lock.</summary>
    internal void Set(AdminPlaceState state, long turn) => (State, Turn) = (state, turn);
}

/// <summary>A request's place.</summary>
internal static class AdminPlaceExtensions
{
    public static void MoveTo(this HttpContext context, AdminPlaceState state) => context.Features.Get<AdminPlace>()?.MoveTo(state);
}
