namespace TorBalancer.Configuration.Options;

/// <summary>
/// A value of the configuration as it is now: immutable, and replaced as a whole by a reload. Whoever needs it reads it when it is
/// needed, by one volatile read without a lock; who needs it to stay the same for a while reads it once.
/// </summary>
/// <param name="value">The first one.</param>
internal sealed class Live<T>(T value)
{
    private readonly Lock _lock = new();
    private readonly List<Action<T>> _followers = [];
    private Box _box = new(value);

    /// <summary>The value of this moment.</summary>
    public T Value => Volatile.Read(ref _box).Value;

    /// <summary>One that stays as it is, for whoever is made without a configuration.</summary>
    public static implicit operator Live<T>(T value) => new(value);

    /// <summary>Replaces it. Followers have heard of it when this returns; they must be quick and throw nothing.</summary>
    public void Set(T value)
    {
        Action<T>[] followers;
        lock (_lock)
        {
            Volatile.Write(ref _box, new Box(value));
            followers = [.. _followers];
        }

        foreach (var follow in followers)
            follow(value);
    }

    /// <summary>From now on hears of each new value; the one of now is not told.</summary>
    public void Follow(Action<T> changed)
    {
        lock (_lock)
            _followers.Add(changed);
    }

    /// <summary>What is made of this value, made anew with each.</summary>
    public Live<TMade> Select<TMade>(Func<T, TMade> make)
    {
        var made = new Live<TMade>(make(Value));
        Follow(next => made.Set(make(next)));
        return made;
    }

    /// <summary>Holds values of any size, so that readers see one or the other.</summary>
    private sealed class Box(T value)
    {
        public T Value { get; } = value;
    }
}
